"""Extraction of model archives, as SageMaker does it for a container."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from cloudserve.errors import ModelError


def unpack(archive: Path, into: Path) -> None:
    """Extract a model.tar.gz; raises ModelError if a member is not a plain file inside `into`."""
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
        raise ModelError(f"the model archive holds {member.name}, which is not a plain file")
    if path.is_absolute() or ".." in path.parts:
        raise ModelError(f"the model archive holds {member.name}, which is outside of it")
