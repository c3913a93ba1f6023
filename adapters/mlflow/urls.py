"""The entry points `models` and `runs` of `cloudserve.registries`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cloudserve.errors import UserError
from cloudserve.storage.model_registry import ModelRegistry

from ..extras import extra

ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


def open_registry(url: str, environ: Mapping[str, str]) -> ModelRegistry:
    """Return the registry that MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI name.

    Raises MissingExtraError without `cloudserve[mlflow]`, UserError if `environ` names another
    registry than the environment of the process, which MLflow reads.
    """
    for name in ADDRESSES:
        if environ.get(name) != os.environ.get(name):
            raise UserError(
                f"`{name}` is not that of this process, whose environment MLflow reads",
                where=url,
                hint=f"set {name} in the environment of the process",
            )
    with extra(url, "mlflow"):
        from .registry import MlflowRegistry
    return MlflowRegistry()
