"""The project of a subject that may be a path or a URL, and then needs none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cloudserve.cli.options import load

if TYPE_CHECKING:
    from cloudserve.project import Project


def project_for(subject: str, project_file: Path) -> Project | None:
    """Load the project if the subject is neither a URL nor an existing path.

    Raises ProjectError if the project file cannot be read.
    """
    if subject.startswith(("http://", "https://")) or Path(subject).exists():
        return None
    return load(project_file, ())
