"""MLflow's deployment plugin: `mlflow deployments create --target cloudserve:/TARGET …`.

TARGET is a target of the project file that CLOUDSERVE_PROJECT names, or that is found above the
current folder. The first deployment of a name is live; an update deploys beside it and promotes.

Source: MLflow documentation, "MLflow Plugins", deployment plugins; mlflow/deployments/base.py.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from mlflow.deployments import BaseDeploymentClient, PredictionsResponse
from mlflow.exceptions import MlflowException

from cloudserve import api
from cloudserve.client.client import Client
from cloudserve.errors import CloudserveError, UserError
from cloudserve.local.offline import offline_clouds
from cloudserve.project import Model, Project, find_project_file, load_project
from cloudserve.project.mlflow_alias import read_alias
from cloudserve.registry import model_registry
from cloudserve.release.types import Deployment, Outcome
from cloudserve.savedmodel import read_tree, resolve

_FLAVOR = "tensorflow"
_MODELS, _RUNS = "models:/", "runs:/"
_CONFIG = ("percent", "override", "reason", "alias")
_HELP = f"""\
A target is cloudserve:/TARGET, with a target of cloudserve.yaml. The project file is found above
the current folder in its Git repository, or named by CLOUDSERVE_PROJECT.

The model is a TensorFlow SavedModel: models:/NAME/VERSION, models:/NAME@ALIAS, runs:/ID/PATH, or a
path. `create` makes it live; `update` deploys it beside the live version and promotes it; `delete`
removes all versions and the endpoint; `run-local` rehearses the deployment on offline clouds.

Config: {", ".join(_CONFIG)}.
  percent=10             `update` gives the version a part of the traffic
  alias=NAME             set this alias of MLflow's registry to the version that is live now;
                         also in a rehearsal, where the target's `mlflow_alias` is not followed
  override=GATE, reason=TEXT   release a version that this gate refuses, on record
  target=NAME            the target that `run-local` rehearses, if the project has several
"""


class CloudserveDeployments(BaseDeploymentClient):  # type: ignore[misc]  # mlflow is not installed
    """Deployments on one target of a project."""

    def __init__(self, target_uri: str) -> None:
        """Take `cloudserve:/TARGET`. Raises MlflowException for anything else."""
        super().__init__(target_uri)
        with _translated():
            self._project, self._target = _target_of(target_uri)

    def create_deployment(
        self,
        name: str,
        model_uri: str,
        flavor: str | None = None,
        config: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> dict[str, Any]:
        """Deploy a model under a name that has no deployment yet, and return its description."""
        with _translated():
            _check(flavor, endpoint)
            if self._status(name).revisions:
                raise UserError(
                    f"there is a deployment {name}",
                    where=self.target_uri,
                    hint="`mlflow deployments update` replaces its model",
                )
            settings = _settings(config)
            if settings.percent < 100:  # noqa: PLR2004 - a percentage
                raise UserError(
                    "the first version of a deployment has all traffic",
                    hint="leave `percent` out; `mlflow deployments update` takes it",
                )
            _check_alias(settings, model_uri)
            _check_followed(self._deploy(name, model_uri, settings))
            return self._describe(name)

    def update_deployment(
        self,
        name: str,
        model_uri: str | None = None,
        flavor: str | None = None,
        config: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> dict[str, Any]:
        """Deploy a model beside the live one and promote it; without one, promote the newest."""
        with _translated():
            _check(flavor, endpoint)
            settings = _settings(config)
            _check_alias(settings, model_uri)
            # Named, because another update may deploy a newer version in the meantime.
            deployed = self._deploy(name, model_uri, settings) if model_uri is not None else None
            promoted = api.promote(
                self._with(name, alias=settings.alias),
                name,
                self._target,
                version=deployed.plan.revision.id if deployed else None,
                percent=settings.percent,
                overrides=settings.overrides,
            )
            _check_followed(promoted)
            return self._describe(name)

    def delete_deployment(
        self,
        name: str,
        config: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> None:
        """Remove all versions and the endpoint; nothing if there is no deployment."""
        with _translated():
            _check(None, endpoint)
            _settings(config)
            api.undeploy(self._with(name), name, self._target, everything=True)

    def list_deployments(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """Return the deployments of the models in the project file."""
        with _translated():
            _check(None, endpoint)
            described = (_description(self._status(name)) for name in self._project.models)
            return [one for one in described if one["revisions"]]

    def get_deployment(self, name: str, endpoint: str | None = None) -> dict[str, Any]:
        """Return the description of a deployment."""
        with _translated():
            _check(None, endpoint)
            return self._describe(name)

    def predict(
        self,
        deployment_name: str | None = None,
        inputs: Any = None,
        endpoint: str | None = None,
    ) -> Any:
        """Send a DataFrame, an array, a list of instances, or a whole JSON request."""
        with _translated():
            _check(None, endpoint)
            if deployment_name is None:
                raise UserError("predictions need the name of a deployment", hint="--name NAME")
            client = Client(self._with(deployment_name), deployment_name, self._target)
            if isinstance(inputs, Mapping) and inputs.keys() & {"instances", "inputs"}:
                answer = client.send(json.dumps(inputs).encode())
                return PredictionsResponse.from_json(answer.decode())
            predictions = client.predict(_instances(inputs)).predictions
            return PredictionsResponse.from_json(json.dumps({"predictions": predictions}))

    def _deploy(self, name: str, model_uri: str, settings: _Settings) -> Outcome:
        with _source(name, model_uri, self._status(name)) as (model, number):
            project = self._with(name, model, settings.alias)
            return api.deploy(
                project, name, self._target, version=number, overrides=settings.overrides
            )

    def _status(self, name: str) -> Deployment:
        return api.status(self._with(name), name, self._target)

    def _describe(self, name: str) -> dict[str, Any]:
        deployment = self._status(name)
        if not deployment.revisions:
            raise UserError(
                f"there is no deployment {name}",
                where=self.target_uri,
                hint="`mlflow deployments create` makes one",
            )
        return _description(deployment)

    def _with(self, name: str, model: Model | None = None, alias: str = "") -> Project:
        """Return the project with a model of this name, and with the alias of the config."""
        project = self._project
        if alias:
            target = project.targets[self._target]
            target = replace(target, mlflow_alias=alias, rehearses_alias=True)
            project = replace(project, targets={**project.targets, target.name: target})
        if model is None and name in project.models:
            return project
        model = model or Model(name, project.path.parent)
        return replace(project, models={**project.models, name: model})


def run_local(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Rehearse a deployment on offline clouds, which end with it. Raises MlflowException.

    MLflow does not pass on the target that it was given (mlflow/deployments/interface.py): it is
    the project's only one, or the `target` of the config.
    """
    config = dict(config or {})
    with _translated():
        _check(flavor, None)
        chosen = str(config.pop("target", ""))
        settings = _settings(config)
        project = _project()
        place = project.target(chosen).name if chosen else _only_target(project)
        nothing = Deployment(name, place)
        with offline_clouds() as clouds, _source(name, model_uri, nothing) as (model, number):
            project = replace(project, models={name: model})
            outcome = api.deploy(
                project,
                name,
                place,
                version=number,
                environ=clouds.apply(os.environ),
                notify=click.echo,
                overrides=settings.overrides,
            )
            click.echo(f"{name} {outcome.plan.revision.id} was deployed on offline clouds")


def target_help() -> str:
    """Return what `mlflow deployments help -t cloudserve` prints."""
    return _HELP


@dataclass(frozen=True, slots=True)
class _Settings:
    """The config of a deployment."""

    percent: int = 100
    overrides: Mapping[str, str] | None = None
    alias: str = ""
    """The alias of the registry that follows the live version."""


def _settings(config: Mapping[str, Any] | None) -> _Settings:
    config = config or {}
    if unknown := sorted(config.keys() - set(_CONFIG)):
        raise UserError(
            f"there is no config `{unknown[0]}`", hint=f"choose from {', '.join(_CONFIG)}"
        )
    gate, reason = config.get("override"), config.get("reason")
    if bool(gate) != bool(reason):
        raise UserError("an override needs a reason", hint="-C override=GATE -C reason=TEXT")
    percent = str(config.get("percent", 100))
    if not percent.isdecimal() or not 1 <= int(percent) <= 100:  # noqa: PLR2004 - a percentage
        raise UserError(f"`{percent}` is not a percentage", hint="choose one of 1 to 100")
    alias = read_alias(config.get("alias"), "-C alias")
    if alias and int(percent) < 100:  # noqa: PLR2004 - a percentage
        raise UserError(
            "an alias follows the version with all traffic",
            hint="set it by the update that promotes to 100 %",
        )
    overrides = {str(gate): str(reason)} if gate else None
    return _Settings(int(percent), overrides, alias)


def _check_alias(settings: _Settings, model_uri: str | None) -> None:
    """Raise UserError, before any change, if the alias has no registered version to name."""
    if settings.alias and not (model_uri or "").startswith("models:/"):
        raise UserError(
            "only a version of MLflow's registry has an alias",
            where=model_uri,
            hint="name the model as models:/NAME/VERSION or models:/NAME@ALIAS",
        )


def _check_followed(outcome: Outcome) -> None:
    """Raise UserError if the alias that the config asks for was not set."""
    if outcome.alias is not None and outcome.alias.error:
        plan = outcome.plan
        raise UserError(
            f"{plan.model} {plan.revision.id} is live, but the alias `{outcome.alias.alias}` was "
            "not set",
            where=f"{plan.model} on {plan.target}",
            hint=outcome.alias.error,
        )


def _check(flavor: str | None, endpoint: str | None) -> None:
    if flavor not in {None, _FLAVOR}:
        raise UserError(f"the flavor `{flavor}` is not deployed", hint=f"choose {_FLAVOR}")
    if endpoint is not None:
        raise UserError(
            "an endpoint is not chosen by MLflow", hint="set `endpoint_name` of the target"
        )


def _target_of(uri: str) -> tuple[Project, str]:
    name = urlsplit(uri).path.strip("/")
    if not name:
        raise UserError("the target has no name", where=uri, hint="write cloudserve:/TARGET")
    project = _project()
    return project, project.target(name).name


def _project() -> Project:
    return load_project(os.environ.get("CLOUDSERVE_PROJECT") or find_project_file(Path.cwd()))


def _only_target(project: Project) -> str:
    if len(project.targets) == 1:
        return next(iter(project.targets))
    raise UserError(
        "MLflow does not tell which target to rehearse",
        where=str(project.path),
        hint=f"add -C target=NAME, one of {', '.join(project.targets)}",
    )


class RefusedError(MlflowException, click.ClickException):  # type: ignore[misc]  # see above
    """A refusal, as MLflow's library raises it, which MLflow's command line prints on its own.

    Click prints its own exceptions as an error, and a traceback of any other. Source: click,
    `ClickException.show`; the commands of mlflow/deployments/cli.py catch none.
    """

    def __init__(self, message: str) -> None:
        click.ClickException.__init__(self, message)
        MlflowException.__init__(self, message)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the library's errors as MlflowException, with their hints."""
    try:
        yield
    except CloudserveError as error:
        details = (f"where: {error.where}", f"to do: {error.hint}")
        lines = [error.message, *(line for line in details if not line.endswith(": None"))]
        raise RefusedError("\n  ".join([*lines, *getattr(error, "__notes__", ())])) from error


@contextmanager
def _source(
    name: str, model_uri: str, deployment: Deployment
) -> Iterator[tuple[Model, int | None]]:
    """Yield a model with the files of a URI, and the number of the version to deploy.

    A version of the registry has its own number; of a run or a path, the number is that of the same
    files if they are deployed, otherwise the next one.
    """
    registry = model_registry(model_uri if model_uri.startswith(_RUNS) else _MODELS, os.environ)
    found = registry.find(model_uri) if model_uri.startswith(_MODELS) else None
    if found is not None and found.number is not None:
        yield Model(name, Path(found.url), url=found.url), found.number
        return
    with tempfile.TemporaryDirectory(prefix="cloudserve-mlflow-") as folder:
        _, source = resolve(registry.download(model_uri, Path(folder)))
        number = _number(source, deployment)
        numbered = Path(folder, "numbered", str(number))
        numbered.parent.mkdir()
        numbered.symlink_to(source, target_is_directory=True)
        yield Model(name, numbered), number


def _number(saved_model: Path, deployment: Deployment) -> int:
    """Return the number of the same files if they are deployed, otherwise the next one."""
    digest = read_tree(saved_model).digest
    numbers = {one.revision.digest: one.revision.number for one in deployment.revisions}
    return numbers.get(digest, max(numbers.values(), default=0) + 1)


def _description(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": deployment.model,
        "flavor": _FLAVOR,
        "target": deployment.target,
        "endpoint": deployment.endpoint,
        "state": str(deployment.state),
        "live": deployment.live,
        "traffic": dict(deployment.traffic),
        "revisions": [one.revision.id for one in deployment.revisions],
    }


def _instances(inputs: Any) -> Any:
    """Return instances: of a DataFrame, a mapping by column, or the value of a single column."""
    if hasattr(inputs, "to_dict") and hasattr(inputs, "columns"):
        columns = list(inputs.columns)
        if len(columns) == 1:
            return inputs[columns[0]].tolist()
        return inputs.to_dict("records")
    return inputs
