"""The build folder of a container image for Vertex AI."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from cloudserve.images.requirements import NEWEST, locked_requirements
from cloudserve.images.wheel import installed_wheel
from cloudserve.output_folder import output_folder

TEMPLATES = {"Dockerfile": 0o644, "serve.sh": 0o755, "packages.txt": 0o644}
"""The template's files and their modes."""
REQUIREMENTS = "requirements.txt"


def write_image(folder: Path, tensorflow: str = NEWEST) -> tuple[Path, ...]:
    """Write a Dockerfile and the files it copies into a folder; return their paths.

    The folder appears atomically. Raises ConflictError if it exists and is not empty, UserError if
    it cannot be written, for an unsupported TensorFlow, or if there is no wheel to make.
    """
    contents = _contents(tensorflow)
    with output_folder(folder, "the build folder") as draft:
        for name, content, mode in contents:
            path = draft / name
            path.write_bytes(content)
            path.chmod(mode)
    return tuple(sorted(folder.iterdir()))


def _contents(tensorflow: str) -> list[tuple[str, bytes, int]]:
    template = files("cloudserve.templates.image")
    wheel = installed_wheel()
    return [
        *((name, (template / name).read_bytes(), mode) for name, mode in TEMPLATES.items()),
        (REQUIREMENTS, locked_requirements(tensorflow).encode(), 0o644),
        (wheel.name, wheel.data, 0o644),
    ]
