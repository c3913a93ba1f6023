"""The field `mlflow_alias` of a target: an alias of MLflow's registry that follows its releases."""

from __future__ import annotations

import re
from typing import Any

from cloudserve.errors import ProjectError

FIELD = "mlflow_alias"
_ALIAS = re.compile(r"(?!(?i:latest)$)(?![vV][0-9]+$)[\w-]{1,255}", re.ASCII)
"""mlflow/utils/validation.py: characters and length; `latest` and `v1` are reserved."""


def read_alias(value: Any, where: str) -> str:
    """Return the alias, "" if there is none; raises ProjectError for a name that MLflow refuses."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _ALIAS.fullmatch(value):
        raise ProjectError(
            f"`{value}` is not an alias of MLflow's registry",
            where=where,
            hint="use letters, digits, - and _; `latest` and `v1` are MLflow's own",
        )
    return value
