"""The build folder of a container image for Vertex AI."""

from __future__ import annotations

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from cloudserve._version import __version__
from cloudserve.errors import ConflictError, UserError

TEMPLATES = {"Dockerfile": 0o644, "serve.sh": 0o755}
"""The template's files and their modes."""
REQUIREMENTS = "requirements.txt"


def write_image(folder: Path) -> tuple[Path, ...]:
    """Write a Dockerfile and the files it copies into a folder; return their paths.

    The folder appears atomically. Raises ConflictError if it exists and is not empty, UserError if
    it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        for name, content, mode in _contents():
            path = draft / name
            path.write_text(content, "utf-8")
            path.chmod(mode)
        draft.chmod(0o755)
        draft.replace(folder)  # succeeds only if `folder` is missing or empty
    except OSError as error:
        if folder.is_dir() and any(folder.iterdir()):
            raise ConflictError(
                "the folder exists and is not empty",
                where=str(folder),
                hint="name another folder",
            ) from error
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return tuple(sorted(folder.iterdir()))


def _contents() -> list[tuple[str, str, int]]:
    template = files("cloudserve.templates.image")
    copied = [
        (name, (template / name).read_text("utf-8"), mode) for name, mode in TEMPLATES.items()
    ]
    return [*copied, (REQUIREMENTS, f"cloudserve[gcp,server]=={__version__}\n", 0o644)]


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"the folder cannot be written: {error.strerror}",
        where=str(folder),
        hint="name a folder that you can write to",
    )
