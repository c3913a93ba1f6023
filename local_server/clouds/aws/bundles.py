"""What a SageMaker model tree holds, found as AWS's TensorFlow Serving container finds it.

Source: aws/deep-learning-containers, tensorflow/inference/sagemaker (`find_models`): every
`.../<model>/<integer>/saved_model.pb` at any depth is served, under the name of its folder.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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
    found = sorted(_saved_models(folder), key=lambda bundled: (bundled.model, bundled.version))
    if not found:
        raise ModelError("no SavedModel bundles found!")
    taken: dict[tuple[str, int], Path] = {}
    for bundled in found:
        first = taken.setdefault((bundled.model, bundled.version), bundled.path)
        if first != bundled.path:
            raise ModelError(f"two SavedModels are version {bundled.version} of {bundled.model}")
    return tuple(found)


def _saved_models(folder: Path) -> Iterator[Bundled]:
    for proto in folder.rglob("saved_model.pb"):
        version = proto.parent
        if version != folder and version.name.isascii() and version.name.isdecimal():
            above = version.parent
            name = _ROOT_NAME if above == folder else above.name
            yield Bundled(name, int(version.name), version)


def unpack(archive: Path, into: Path) -> None:
    """Extract a model.tar.gz; raises ModelError for anything but plain files inside the folder."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _check(member)
                tar.extract(member, into, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"the model archive cannot be extracted: {error}") from error


def _check(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if not (member.isfile() or member.isdir()):
        raise ModelError(f"the model archive holds {member.name}, which is no plain file")
    if path.is_absolute() or ".." in path.parts:
        raise ModelError(f"the model archive holds {member.name}, which is outside of it")
