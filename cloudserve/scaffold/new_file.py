"""Writing a new file as a whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.outputs import is_replaceable


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file atomically.

    Raises ConflictError if the file exists and `force` is not set, UserError if it cannot be
    written, or is a device or a pipe.
    """
    if force and not is_replaceable(path):
        raise UserError(
            f"{path.name} cannot be written: it is not a file", where=str(path), hint="name a file"
        )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8")
        if force:
            draft.replace(path)
        else:
            path.hardlink_to(draft)
    except FileExistsError as error:
        raise ConflictError(
            f"{path.name} already exists", where=str(path), hint="replace it with --force"
        ) from error
    except OSError as error:
        raise UserError(
            f"{path.name} cannot be written: {error.strerror}",
            where=str(path.parent.resolve()),
            hint="name a folder that you can write to",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
