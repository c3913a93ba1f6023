"""The project file `cloudserve.yaml`: read, checked, and extended by `cloudserve migrate`."""

from cloudserve.project.project_file import (
    DEFAULT_FILE,
    MODEL_NAME,
    MODEL_NAME_LIMIT,
    PROJECT_NAME,
    PROJECT_NAME_LIMIT,
    TARGET_NAME,
    Field,
    Model,
    Project,
    Target,
    Where,
    find_project_file,
    load_project,
)

__all__ = [
    "DEFAULT_FILE",
    "MODEL_NAME",
    "MODEL_NAME_LIMIT",
    "PROJECT_NAME",
    "PROJECT_NAME_LIMIT",
    "TARGET_NAME",
    "Field",
    "Model",
    "Project",
    "Target",
    "Where",
    "find_project_file",
    "load_project",
]
