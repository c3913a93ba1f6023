"""Folders of a command's result, which appear atomically."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.outputs import check_outside_models


@contextmanager
def output_folder(folder: Path, what: str) -> Iterator[Path]:
    """Yield a draft beside a folder, which is renamed into place if the block succeeds.

    `what` names it. Raises ConflictError if the folder exists and is not empty, or would be part
    of a model; UserError if it cannot be written.
    """
    check_outside_models(folder, what)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield draft
        draft.chmod(0o755)
        draft.replace(folder)  # succeeds only if `folder` is missing or empty
    except OSError as error:
        if folder.is_dir() and any(folder.iterdir()):
            raise ConflictError(
                "the folder exists and is not empty", where=str(folder), hint="name another folder"
            ) from error
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"the folder cannot be written: {error.strerror}",
        where=str(folder),
        hint="name a folder that you can write to",
    )
