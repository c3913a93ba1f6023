"""The build folder of a container image for Vertex AI."""

from __future__ import annotations

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.images.requirements import NEWEST, locked_requirements
from cloudserve.images.wheel import installed_wheel

TEMPLATES = {"Dockerfile": 0o644, "serve.sh": 0o755, "packages.txt": 0o644}
"""The template's files and their modes."""
REQUIREMENTS = "requirements.txt"


def write_image(folder: Path, tensorflow: str = NEWEST) -> tuple[Path, ...]:
    """Write a Dockerfile and the files it copies into a folder; return their paths.

    The folder appears atomically. Raises ConflictError if it exists and is not empty, UserError if
    it cannot be written, for an unsupported TensorFlow, or if there is no wheel to make.
    """
    contents = _contents(tensorflow)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        for name, content, mode in contents:
            path = draft / name
            path.write_bytes(content)
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


def _contents(tensorflow: str) -> list[tuple[str, bytes, int]]:
    template = files("cloudserve.templates.image")
    wheel = installed_wheel()
    return [
        *((name, (template / name).read_bytes(), mode) for name, mode in TEMPLATES.items()),
        (REQUIREMENTS, locked_requirements(tensorflow).encode(), 0o644),
        (wheel.name, wheel.data, 0o644),
    ]


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"the folder cannot be written: {error.strerror}",
        where=str(folder),
        hint="name a folder that you can write to",
    )
