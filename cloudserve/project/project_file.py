"""The project file: `cloudserve.yaml` -> a frozen Project(models, targets, name).

A target's fields come from four sources, in order of precedence: a flag (`--set FIELD=VALUE`), a
variable (`CLOUDSERVE_<TARGET>_<FIELD>`), the chosen environment of the file (`environments`), the
target itself. The core checks the structure; the target's adapter checks which fields exist and
what they mean. `project.schema.json` beside this file describes the same format to editors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cloudserve.errors import ProjectError, UserError
from cloudserve.hints import did_you_mean
from cloudserve.project import environments
from cloudserve.project.canary_settings import FIELD as CANARY
from cloudserve.project.canary_settings import CanarySettings, read_canary
from cloudserve.project.gate_fields import read_gates
from cloudserve.project.gate_settings import FIELD as GATES
from cloudserve.project.gate_settings import GateSettings
from cloudserve.project.mlflow_alias import FIELD as MLFLOW_ALIAS
from cloudserve.project.mlflow_alias import read_alias
from cloudserve.project.model_urls import check_url, is_registered, is_url
from cloudserve.project.own_variables import OWN_VARIABLES
from cloudserve.project.yamlfile import INIT_HINT, Document, KeyPath, load_document

Item = TypeVar("Item")
Value = str | int | float | bool | None
Field = Value | Mapping[str, Any] | list[Any]
"""The value of a target's field: a single value, values by name, or what else JSON has."""

DEFAULT_FILE = "cloudserve.yaml"
# One rule for all platforms: AI Platform does not allow "-" and SageMaker does not allow "_"
# (adapters translate), and SageMaker's 63 characters must hold the revision too.
MODEL_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*([-_][a-zA-Z0-9]+)*")
MODEL_NAME_LIMIT = 40
TARGET_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*([-_][a-zA-Z0-9]+)*")
PROJECT_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PROJECT_NAME_LIMIT = 40
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the project; `path` is a SavedModel or a base path with `NUMBER/` directories."""

    name: str
    path: Path
    tags: tuple[str, ...] = ("serve",)
    url: str = ""
    """The path in a bucket (`s3://…`, `gs://…`) or of a registry (`models:/…`, `runs:/…`).

    `path` is not a directory then.
    """

    @property
    def is_registered(self) -> bool:
        """Return whether the model is a version of a registry."""
        return is_registered(self.url)


Where = Callable[[str], str]
"""A field's name to its location in the project file, as `Target.where_of`."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target of releases: the adapter's entry point name, and its fields."""

    name: str
    provider: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    where: str = ""
    """The location in the project file, for errors: `cloudserve.yaml:9: targets.gcp`."""
    project: str = ""
    """The name of the project; "" if the file has no name."""
    environment: str = ""
    """The chosen environment; "" if there is none. `project` includes it."""
    siblings: tuple[Target, ...] = ()
    """The project's other targets (set by `Project.target`), which may be in the same account."""
    gates: GateSettings = field(default_factory=GateSettings)
    """The checks of a release before its first change."""
    canary: CanarySettings = field(default_factory=CanarySettings)
    """What `promote --canary` does unless its options say something else."""
    mlflow_alias: str = ""
    """The alias of MLflow's registry that follows the live version; "" if none does."""
    rehearses_alias: bool = False
    """Whether releases to the offline clouds set it too, because the command asked for it."""
    places: Mapping[str, str] = field(default_factory=dict)
    """The location of each field in the project file."""

    def where_of(self, name: str) -> str:
        """Return a field's location for errors, its own line if the file has the field."""
        return self.places.get(name, f"{self.where}.{name}")


@dataclass(frozen=True, slots=True)
class Project:
    """The validated content of a project file."""

    path: Path
    models: Mapping[str, Model]
    targets: Mapping[str, Target]
    name: str = ""
    """The name that separates projects in a shared bucket; "" for the only project of a bucket.

    In an environment it is `NAME--ENVIRONMENT`.
    """
    environment: str = ""
    environments: tuple[str, ...] = ()
    """The names of the environments of the file, whichever is chosen."""

    def model(self, name: str) -> Model:
        """Return the model of this name; raises UserError with a hint of the existing names."""
        return _find("model", name, self.models, self.path)

    def target(self, name: str) -> Target:
        """Return the target of this name; raises UserError with a hint of the existing names."""
        target = _find("target", name, self.targets, self.path)
        siblings = tuple(other for other in self.targets.values() if other.name != name)
        return replace(target, project=self.name, environment=self.environment, siblings=siblings)


def find_project_file(folder: Path) -> Path:
    """Return the nearest `cloudserve.yaml`, in a folder or above it in the same Git repository.

    Without one, return the path that it would have in the folder. Folders above the repository are
    not searched: a project file names commands to run, and such a file may be another user's.
    """
    places = (folder, *folder.parents)
    root = next((number for number, place in enumerate(places) if (place / ".git").exists()), 0)
    for place in places[: root + 1]:
        if (place / DEFAULT_FILE).exists():
            return Path(os.path.relpath(place / DEFAULT_FILE, folder))
    return Path(DEFAULT_FILE)


def load_project(
    path: Path | str = DEFAULT_FILE,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    environment: str | None = None,
) -> Project:
    """Read and validate a project file.

    `environ` supplies `CLOUDSERVE_<TARGET>_<FIELD>` values (by default the process's environment;
    an empty value counts as not set). `overrides` sets fields of every target and takes precedence
    over both. `environment` chooses one of `environments:`, by default that of `CLOUDSERVE_ENV`; ""
    chooses none. Model paths are relative to the file.
    Raises ProjectError, whose `where` names the file, the line and the path of the wrong value.
    """
    document = load_document(Path(path))
    top = _mapping(document, (), document.value, ("models", "targets", "name", "environments"))
    environ = os.environ if environ is None else environ
    chosen = environ.get(environments.VARIABLE, "") if environment is None else environment
    models = _models(document, top.get("models"))
    name = _project_name(document, top.get("name"))
    targets = _targets(document, top.get("targets") or {}, top.get("environments"), name, chosen)
    full_name = environments.project_name(name, chosen)
    known = tuple(top.get("environments") or ())
    project = Project(document.path, models, targets, full_name, chosen, known)
    return _with_environment(project, environ, overrides or {})


def _project_name(document: Document, value: Any) -> str:
    if value is None:
        return ""
    if (
        not isinstance(value, str)
        or not PROJECT_NAME.fullmatch(value)
        or len(value) > PROJECT_NAME_LIMIT
    ):
        raise ProjectError(
            f"`{value}` is not a project name",
            where=document.where(("name",)),
            hint="use lower-case letters and digits, separated by single hyphens, "
            f"at most {PROJECT_NAME_LIMIT}",
        )
    return value


def _models(document: Document, value: Any) -> dict[str, Model]:
    if not value:
        raise ProjectError(
            "a project needs at least one model",
            where=document.where(("models",)),
            hint="models:\n  my-model:\n    path: path/to/saved_model",
        )
    models = {
        name: _model(document, name, body)
        for name, body in _mapping(document, ("models",), value).items()
    }
    # Platforms allow only one of "-" and "_", so two such models would share their resources.
    _refuse_twins(document, "models", models, "would be the same model on a platform")
    return models


def _model(document: Document, name: str, value: Any) -> Model:
    path = ("models", name)
    if not MODEL_NAME.fullmatch(name) or len(name) > MODEL_NAME_LIMIT:
        raise ProjectError(
            f"`{name}` is not a model name",
            where=document.where(path),
            hint=f"use letters and digits, separated by single - or _, at most {MODEL_NAME_LIMIT}",
        )
    body = _mapping(document, path, value, ("path", "tags"))
    location = _string(document, (*path, "path"), body.get("path"))
    tags = body.get("tags", ["serve"])
    if not isinstance(tags, list) or not tags or not all(isinstance(t, str) for t in tags):
        raise ProjectError(
            "`tags` must be a list of strings",
            where=document.where((*path, "tags")),
            hint="tags: [serve]",
        )
    if is_url(location):
        url = check_url(location, document.where((*path, "path")))
        return Model(name, Path(url), tuple(tags), url)
    return Model(name, _location(document, (*path, "path"), location), tuple(tags))


def _location(document: Document, path: KeyPath, text: str) -> Path:
    try:
        return document.path.parent / Path(text).expanduser()
    except RuntimeError as error:
        user = text.partition("/")[0].removeprefix("~")
        raise ProjectError(
            f"`{text}`: there is no user `{user}`",
            where=document.where(path),
            hint="write ./~… for a folder whose name begins with ~",
        ) from error


def _refuse_twins(document: Document, kind: str, names: Iterable[str], why: str) -> None:
    by_folded_name: dict[str, str] = {}
    for name in names:
        other = by_folded_name.setdefault(name.replace("_", "-").lower(), name)
        if other != name:
            raise ProjectError(
                f"`{name}` and `{other}` {why}",
                where=document.where((kind, name)),
                hint="choose names that differ in more than case, - and _",
            )


def _targets(
    document: Document, value: Any, overrides: Any, project: str, environment: str
) -> dict[str, Target]:
    body = _mapping(document, ("targets",), value)
    known = environments.read_environments(document, overrides, project, body)
    chosen = environments.choose(known, environment, str(document.path))
    targets = {
        name: _target(document, name, fields, chosen.get(name, {}), environment)
        for name, fields in body.items()
    }
    _refuse_twins(document, "targets", targets, "would share their environment variables")
    return targets


def _target(
    document: Document, name: str, value: Any, overrides: dict[str, Any], environment: str
) -> Target:
    path = ("targets", name)
    if not TARGET_NAME.fullmatch(name):
        raise ProjectError(
            f"`{name}` is not a target name",
            where=document.where(path),
            hint="use letters and digits, separated by single - or _",
        )
    fields = environments.merge(_mapping(document, path, value), overrides)
    lines = {key[2:]: key for key in document.lines if key[:2] == path}
    lines |= dict(environments.override_lines(document, environment, name))
    provider = _string(document, (*path, "provider"), fields.pop("provider", None))
    gates = read_gates(document, lines.get((GATES,), (*path, GATES)), fields.pop(GATES, None))
    canary = read_canary(document, lines.get((CANARY,), (*path, CANARY)), fields.pop(CANARY, None))
    for key, entry in fields.items():
        _check_field(document, lines.get((key,), (*path, key)), entry)
    places = {".".join(key): document.where(line) for key, line in lines.items()}
    where = document.where(path)
    return Target(name, provider, fields, where, gates=gates, canary=canary, places=places)


def _check_field(document: Document, path: KeyPath, value: Any) -> None:
    """Raise ProjectError for a key that is not a string, or a value that JSON does not have.

    The target's adapter knows which fields are single values.
    """
    if isinstance(value, dict):
        for name, entry in _mapping(document, path, value).items():
            _check_field(document, (*path, name), entry)
    elif isinstance(value, list):
        for entry in value:
            _check_field(document, path, entry)
    elif not isinstance(value, Value):
        raise ProjectError(
            f"`{path[-1]}` must be a single value, not {_kind(value)}",
            where=document.where(path),
            hint=f"{path[-1]}: VALUE",
        )


def _mapping(
    document: Document, path: KeyPath, value: Any, known: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(value, dict):
        what, key = ".".join(path) or "the project file", known[0] if known else "NAME"
        raise ProjectError(
            f"{what} must be a mapping, not {_kind(value)}",
            where=document.where(path),
            hint=f"write lines like `{key}: …` below it" if path else INIT_HINT,
        )
    for key in value:
        if not isinstance(key, str):
            raise ProjectError(
                f"the key `{key}` must be a string",
                where=document.where((*path, str(key))),
                hint="put it in quotes",
            )
        if known and key not in known:
            raise ProjectError(
                f"unknown key `{key}`",
                where=document.where((*path, key)),
                hint=did_you_mean(key, known),
            )
    return value


def _string(document: Document, path: KeyPath, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    if value is None:
        message, hint = f"`{path[-1]}` is missing", f"add `{path[-1]}: …` below `{path[-2]}:`"
    else:
        message = f"`{path[-1]}` must be a string, not {_kind(value)}"
        hint = f"write `{path[-1]}: TEXT`, in quotes if it looks like a number or a date"
    raise ProjectError(message, where=document.where(path), hint=hint)


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", type(None): "nothing"}
    return names.get(type(value), f"`{value}`")


def _find(kind: str, name: str, items: Mapping[str, Item], path: Path) -> Item:
    if name in items:
        return items[name]
    hint = did_you_mean(name, items) if items else f"add it below `{kind}s:`"
    raise UserError(f"the project has no {kind} `{name}`", where=str(path), hint=hint)


def _with_environment(
    project: Project, environ: Mapping[str, str], overrides: Mapping[str, str]
) -> Project:
    for key in overrides:
        if not FIELD_NAME.fullmatch(key):
            raise UserError(
                f"`{key}` is not a target field",
                where=f"--set {key}=…",
                hint="use lower-case letters, digits and _, as in the project file",
            )
    # Longest name first: CLOUDSERVE_GCP_EU_BUCKET belongs to gcp-eu rather than gcp.
    names = sorted(project.targets, key=len, reverse=True)
    fields: dict[str, dict[str, str]] = {name: {} for name in names}
    variables = {name: text for name, text in environ.items() if text and name not in OWN_VARIABLES}
    for variable, text in variables.items():
        for name in names:
            prefix = f"CLOUDSERVE_{name.upper().replace('-', '_')}_"
            if variable.startswith(prefix) and len(variable) > len(prefix):
                fields[name][variable.removeprefix(prefix).lower()] = text
                break
    targets = {
        name: _with_alias(
            replace(target, fields={**target.fields, **fields[name], **overrides}),
            asked=MLFLOW_ALIAS in overrides,
        )
        for name, target in project.targets.items()
    }
    return replace(project, targets=targets)


def _with_alias(target: Target, *, asked: bool) -> Target:
    """Take the alias out of the fields, which are the adapter's; `asked` by a flag."""
    fields = dict(target.fields)
    alias = read_alias(fields.pop(MLFLOW_ALIAS, None), target.where_of(MLFLOW_ALIAS))
    return replace(target, fields=fields, mlflow_alias=alias, rehearses_alias=asked)
