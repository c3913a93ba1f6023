"""Files that are written for a user to edit: the project file, pipelines of CI systems, monitoring.

Imported by the command line.
"""

from .monitoring import alerts, dashboard
from .pipeline import SYSTEMS, render_pipeline, write_pipeline
from .project import (
    SKIPPED_FOLDERS,
    TARGETS,
    TARGETS_BY_DEFAULT,
    find_models,
    project_name,
    write_project,
)

__all__ = [
    "SKIPPED_FOLDERS",
    "SYSTEMS",
    "TARGETS",
    "TARGETS_BY_DEFAULT",
    "alerts",
    "dashboard",
    "find_models",
    "project_name",
    "render_pipeline",
    "write_pipeline",
    "write_project",
]
