"""Model trees on disk, extracted from a model's data in the offline bucket."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from cloudserve.errors import ModelError

from ....model_hosting import Source
from ....objects.store.store import ObjectStore
from ..models import is_folder, source_of

_BLOCK = 1 << 16
_BUCKET = "SAGEMAKER_MULTI_MODEL_UNIVERSAL_BUCKET"
_PREFIX = "SAGEMAKER_MULTI_MODEL_UNIVERSAL_PREFIX"


def prepare_model_tree(
    store: ObjectStore,
    definition: Mapping[str, Any],
    environment: Mapping[str, str],
    tree: Path,
) -> None:
    """Create the tree that a container starts with; blocks.

    A multi-model container starts without models. Raises ModelError, AwsError and the object
    store's errors.
    """
    tree.mkdir()
    if definition.get("Mode") != "MultiModel":
        extract_model_data(store, definition, tree)
    if _BUCKET in environment and _PREFIX in environment and not (tree / "code").exists():
        store.checkout(environment[_BUCKET], environment[_PREFIX], tree / "code")


def _check_no_folder_objects(store: ObjectStore, source: Source) -> None:
    """Raise ModelError if a prefix holds a folder object that a console created.

    Source: API reference, `S3ModelDataSource.S3Uri`; the text is ours.
    """
    for info in store.walk(source.bucket, source.key):
        if info.is_folder:
            raise ModelError(
                f"s3://{info.bucket}/{info.key} is an empty object whose key ends with a slash,"
                " which SageMaker does not accept as a model file",
                hint="delete it: the S3 console's Create folder makes such objects",
            )


def extract_model_data(store: ObjectStore, definition: Mapping[str, Any], tree: Path) -> None:
    """Extract a definition's model data into an empty folder."""
    source = source_of(definition)
    if is_folder(source):
        _check_no_folder_objects(store, source)
        tree.rmdir()
        store.checkout(source.bucket, source.key, tree)
    else:
        unpack(store.path(store.get(source.bucket, source.key)), tree)


def unpack(archive: Path, into: Path) -> None:
    """Extract a model.tar.gz; raises ModelError if a member is not a plain file inside `into`."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _check(member)
                _extract(tar, member, into / member.name)
            while tar.fileobj and tar.fileobj.read(_BLOCK):  # the checksum is at the end
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise ModelError(f"the model archive cannot be extracted: {error}") from error


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write a file or a directory, without the archive's owners and times.

    Python 3.11.2, which Debian 12 has, does not know `filter="data"` for `TarFile.extract`.
    """
    file = tar.extractfile(member)
    if file is None:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with file, path.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    path.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)


def _check(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if not (member.isfile() or member.isdir()):
        raise ModelError(f"the model archive holds {member.name}, which is not a plain file")
    if path.is_absolute() or ".." in path.parts:
        raise ModelError(f"the model archive holds {member.name}, which is outside of it")
