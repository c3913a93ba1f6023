"""MLflow's registry of models, and the artifacts of its runs.

Sources: MLflow documentation, "Model Registry" (`models:/NAME/VERSION`, `models:/NAME@ALIAS`) and
"Referencing Artifacts" (`runs:/ID/PATH`); mlflow/store/artifact/utils/models.py.
"""

from __future__ import annotations

from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version
from mlflow.tracking import MlflowClient

from cloudserve.errors import UserError
from cloudserve.storage.model_registry import RegisteredModel

from .artifacts import saved_model_in
from .errors import MISSING, translated

_MODELS = "models:/"


class MlflowRegistry:
    """The registry and the tracking server that the environment of the process names."""

    def find(self, url: str) -> RegisteredModel:
        """Return the version that `models:/NAME@ALIAS` or `models:/NAME/VERSION` names now.

        The files of a run, and a logged model (`models:/m-ID`), have no number.
        """
        if not url.startswith(_MODELS):
            return RegisteredModel(url)
        with translated(url):
            named = get_model_name_and_version(MlflowClient(), url)
        if len(named) == 1:
            return RegisteredModel(url)
        name, version = named
        return RegisteredModel(f"{_MODELS}{name}/{version}", int(version))

    def download(self, url: str, into: Path) -> Path:
        """Download a model or other artifacts; see ModelRegistry."""
        if not MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.is_set():
            # Its bars are drawn in logs too.
            MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
        with translated(url):
            local = download_artifacts(artifact_uri=url, dst_path=str(into))
        return saved_model_in(Path(local), url)

    def aliased(self, url: str, alias: str) -> int | None:
        """Return the number of the version that has an alias; None if none has."""
        with translated(url):
            try:
                version = MlflowClient().get_model_version_by_alias(_name_and_number(url)[0], alias)
            except MlflowException as error:
                # A database answers the first code for an alias that is not set, REST servers too.
                if error.error_code in {MISSING, "INVALID_PARAMETER_VALUE"}:
                    return None
                raise
        return int(version.version)

    def set_alias(self, url: str, alias: str) -> None:
        """Give an alias to `models:/NAME/VERSION`."""
        name, number = _name_and_number(url)
        with translated(url):
            MlflowClient().set_registered_model_alias(name, alias, number)


def _name_and_number(url: str) -> tuple[str, str]:
    name, _, number = url.removeprefix(_MODELS).rpartition("/")
    if not name or not number.isdecimal():
        raise UserError(
            "only a version of MLflow's registry has an alias",
            where=url,
            hint="name the model as models:/NAME/VERSION or models:/NAME@ALIAS",
        )
    return name, number
