"""What a model tree holds, found as the container finds it.

Source: tfs_utils.py (`find_models`, `find_model_versions`): every `…/<model>/<integer>/` with a
`saved_model.pb` at any depth is served, under the name of the folder above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ModelError

_ROOT_NAME = "model"
"""The name of a model whose version lies at the top: its folder would be /opt/ml/model."""


@dataclass(frozen=True, slots=True)
class Bundled:
    """One SavedModel version in a tree."""

    model: str
    version: int
    path: Path


def find(folder: Path) -> tuple[Bundled, ...]:
    """Return every SavedModel of a tree, by model and version; raises ModelError for none."""
    found = bundles_below(folder)
    if not found:
        raise ModelError("no SavedModel bundles found!")
    taken: dict[tuple[str, int], Path] = {}
    for bundled in found:
        first = taken.setdefault((bundled.model, bundled.version), bundled.path)
        if first != bundled.path:
            raise ModelError(f"two SavedModels are version {bundled.version} of {bundled.model}")
    return found


def bundles_below(folder: Path, root_name: str = _ROOT_NAME) -> tuple[Bundled, ...]:
    """Return every SavedModel of a tree, by model and version.

    `root_name` is what a model is called whose versions lie at the top.
    """
    found = _saved_models(folder, root_name)
    return tuple(sorted(found, key=lambda bundled: (bundled.model, bundled.version)))


def versions_below(base_path: Path, model: str) -> tuple[Bundled, ...]:
    """Return the versions right below a base path, as one model of a multi-model container.

    They are found at any depth (`validate_model_dir`), and served from the top alone: with those
    below, and none at the top, TensorFlow Serving would have nothing to load.
    """
    try:
        found = list(base_path.iterdir())
    except (OSError, ValueError):  # none there, too long a name, a NUL in it
        return ()
    versions = (entry for entry in found if entry.is_dir() and _is_version(entry.name))
    return tuple(Bundled(model, int(entry.name), entry) for entry in sorted(versions))


def _saved_models(folder: Path, root_name: str) -> Iterator[Bundled]:
    for proto in folder.rglob("saved_model.pb"):
        version = proto.parent
        if version != folder and _is_version(version.name):
            above = version.parent
            name = root_name if above == folder else above.name
            yield Bundled(name, int(version.name), version)


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal()
