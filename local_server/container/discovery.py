"""Discovery of the SavedModels in a model tree, as the container does it.

Source: tfs_utils.py (`find_models`, `find_model_versions`): every `…/<model>/<integer>/` with a
`saved_model.pb`, at any depth, is served under the name of its parent folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ModelError

_ROOT_NAME = "model"
"""The name of a model whose versions are at the top level: the folder is /opt/ml/model."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One SavedModel version in a tree."""

    model: str
    version: int
    path: Path


def find(folder: Path) -> tuple[Bundle, ...]:
    """Return a tree's SavedModels, by model and version; raises ModelError if there is none."""
    bundles = bundles_below(folder)
    if not bundles:
        raise ModelError(
            "no SavedModel bundles found!",
            where=str(folder),
            hint="give a tree with MODEL/NUMBER/saved_model.pb; the container serves nothing else",
        )
    paths: dict[tuple[str, int], Path] = {}
    for bundle in bundles:
        first = paths.setdefault((bundle.model, bundle.version), bundle.path)
        if first != bundle.path:
            raise ModelError(f"two SavedModels are version {bundle.version} of {bundle.model}")
    return bundles


def bundles_below(folder: Path, root_name: str = _ROOT_NAME) -> tuple[Bundle, ...]:
    """Return every SavedModel of a tree, by model and version.

    `root_name` is the name of a model whose versions are at the top level.
    """
    bundles = _saved_models(folder, root_name)
    return tuple(sorted(bundles, key=lambda bundle: (bundle.model, bundle.version)))


def versions_below(base_path: Path, model: str) -> tuple[Bundle, ...]:
    """Return the versions directly below a base path, as one model of a multi-model container.

    The image accepts versions at any depth (`validate_model_dir`), but TensorFlow Serving loads
    only those directly below the base path.
    """
    try:
        entries = list(base_path.iterdir())
    except (OSError, ValueError):  # missing, a name that is too long, or one with a NUL
        return ()
    versions = (entry for entry in entries if entry.is_dir() and _is_version(entry.name))
    return tuple(Bundle(model, int(entry.name), entry) for entry in sorted(versions))


def _saved_models(folder: Path, root_name: str) -> Iterator[Bundle]:
    for proto in folder.rglob("saved_model.pb"):
        version = proto.parent
        if version != folder and _is_version(version.name):
            above = version.parent
            name = root_name if above == folder else above.name
            yield Bundle(name, int(version.name), version)


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal()
