"""The project file: `cloudserve.yaml` -> a frozen Project(models, targets, name).

A target's fields can come from three places, the first wins: a flag (`--set FIELD=VALUE`), the
environment (`CLOUDSERVE_<TARGET>_<FIELD>`), the file. Which fields a target has is its adapter's
affair: the core checks the shape, the adapter the meaning. `project.schema.json` beside this file
says the same to editors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cloudserve.errors import ProjectError, UserError
from cloudserve.names import which
from cloudserve.yamlfile import WRITES_ONE, Document, KeyPath, load_document

Item = TypeVar("Item")
Value = str | int | float | bool | None
Field = Value | Mapping[str, Value]
"""What a target's field holds: a single value, or values by name such as labels."""

DEFAULT_FILE = "cloudserve.yaml"
# The strictest of the platforms' rules, so that one name serves all: AI Platform knows no "-",
# SageMaker no "_" (adapters translate), and SageMaker's 63 characters must hold the revision too.
MODEL_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*([-_][a-zA-Z0-9]+)*")
MODEL_NAME_LIMIT = 40
TARGET_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*([-_][a-zA-Z0-9]+)*")
PROJECT_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PROJECT_NAME_LIMIT = 40
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
FIELD_DEPTH = 3
"""The length of a field's path: `targets`, the target's name, the field's."""
COMMANDS_OWN = frozenset({"CLOUDSERVE_EMULATOR_PORT"})
"""Variables of the command line that look like a field of a target named `emulator`."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the project: `path` is a SavedModel directory or a base path of `NUMBER/` ones."""

    name: str
    path: Path
    tags: tuple[str, ...] = ("serve",)


@dataclass(frozen=True, slots=True)
class Target:
    """A place to release to: the adapter's entry point name and its fields."""

    name: str
    provider: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    where: str = ""
    """The path in the project file, for errors: `cloudserve.yaml:9: targets.gcp`."""
    project: str = ""
    """The project's name; "" where the file gives none."""
    siblings: tuple[Target, ...] = ()
    """The project's other targets, from `Project.target`: they may be in the same account."""


@dataclass(frozen=True, slots=True)
class Project:
    """What a project file says, checked."""

    path: Path
    models: Mapping[str, Model]
    targets: Mapping[str, Target]
    name: str = ""
    """What tells the project from others in its buckets; "" for the bucket's only one."""

    def model(self, name: str) -> Model:
        """Return the model of this name; raises UserError with what there is."""
        return _find("model", name, self.models, self.path)

    def target(self, name: str) -> Target:
        """Return the target of this name; raises UserError with what there is."""
        found = _find("target", name, self.targets, self.path)
        siblings = tuple(other for other in self.targets.values() if other.name != name)
        return replace(found, project=self.name, siblings=siblings)


def load_project(
    path: Path | str = DEFAULT_FILE,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Project:
    """Read and check a project file.

    `environ` supplies `CLOUDSERVE_<TARGET>_<FIELD>` values (the process's own by default; an empty
    one counts as not set), `overrides` sets fields of every target and wins over both. Model paths
    are taken relative to the file.
    Raises ProjectError, whose `where` names the file, the line and the path of what is wrong.
    """
    document = load_document(Path(path))
    top = _mapping(document, (), document.value, ("models", "targets", "name"))
    models = _models(document, top.get("models"))
    targets = _targets(document, top.get("targets") or {})
    project = Project(document.path, models, targets, _project_name(document, top.get("name")))
    return _with_environment(project, os.environ if environ is None else environ, overrides or {})


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
            hint="lower-case letters and digits with single - between, "
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
    # Both platforms fold one of "-" and "_" into the other: the two would share their resources.
    _refuse_twins(document, "models", models, "would be the same model on a platform")
    return models


def _model(document: Document, name: str, value: Any) -> Model:
    path = ("models", name)
    if not MODEL_NAME.fullmatch(name) or len(name) > MODEL_NAME_LIMIT:
        raise ProjectError(
            f"`{name}` is not a model name",
            where=document.where(path),
            hint=f"letters and digits with single - or _ between, at most {MODEL_NAME_LIMIT}",
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
    return Model(name, _location(document, (*path, "path"), location), tuple(tags))


def _location(document: Document, path: KeyPath, text: str) -> Path:
    try:
        return document.path.parent / Path(text).expanduser()
    except RuntimeError as error:  # `~nobody`
        raise ProjectError(
            f"`{text}` is nobody's home directory",
            where=document.where(path),
            hint="write ./~… for a folder whose name begins so",
        ) from error


def _refuse_twins(document: Document, kind: str, names: Iterable[str], why: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.replace("_", "-").lower(), name)
        if other != name:
            raise ProjectError(
                f"`{name}` and `{other}` {why}",
                where=document.where((kind, name)),
                hint="names must differ in more than case, - and _",
            )


def _targets(document: Document, value: Any) -> dict[str, Target]:
    body = _mapping(document, ("targets",), value)
    targets = {name: _target(document, name, fields) for name, fields in body.items()}
    _refuse_twins(document, "targets", targets, "would share their environment variables")
    return targets


def _target(document: Document, name: str, value: Any) -> Target:
    path = ("targets", name)
    if not TARGET_NAME.fullmatch(name):
        raise ProjectError(
            f"`{name}` is not a target name",
            where=document.where(path),
            hint="letters and digits with single - or _ between",
        )
    fields = dict(_mapping(document, path, value))
    provider = _string(document, (*path, "provider"), fields.pop("provider", None))
    for key, entry in fields.items():
        _check_field(document, (*path, key), entry)
    return Target(name, provider, fields, document.where(path))


def _check_field(document: Document, path: KeyPath, value: Any) -> None:
    """Refuse all but a single value, or a mapping of single values."""
    if isinstance(value, dict) and len(path) == FIELD_DEPTH:
        for name, entry in _mapping(document, path, value).items():
            _check_field(document, (*path, name), entry)
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
            hint=f"write lines like `{key}: …` below it" if path else WRITES_ONE,
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
                f"unknown key `{key}`", where=document.where((*path, key)), hint=which(key, known)
            )
    return value


def _string(document: Document, path: KeyPath, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    if value is None:
        message, hint = f"`{path[-1]}` is missing", f"add `{path[-1]}: …` below `{path[-2]}:`"
    else:
        message = f"`{path[-1]}` must be a string, not {_kind(value)}"
        hint = f"{path[-1]}: TEXT, in quotes where it looks like something else"
    raise ProjectError(message, where=document.where(path), hint=hint)


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", type(None): "nothing"}
    return names.get(type(value), f"`{value}`")


def _find(kind: str, name: str, there: Mapping[str, Item], path: Path) -> Item:
    if name in there:
        return there[name]
    hint = which(name, there) if there else f"add it under `{kind}s:`"
    raise UserError(f"the project has no {kind} `{name}`", where=str(path), hint=hint)


def _with_environment(
    project: Project, environ: Mapping[str, str], overrides: Mapping[str, str]
) -> Project:
    for key in overrides:
        if not FIELD_NAME.fullmatch(key):
            raise UserError(
                f"`{key}` is not a target field",
                where=f"--set {key}=…",
                hint="small letters, digits and _, as in the project file",
            )
    # Longest name first, so that CLOUDSERVE_GCP_EU_BUCKET belongs to gcp-eu where there is one.
    names = sorted(project.targets, key=len, reverse=True)
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    variables = {name: text for name, text in environ.items() if text and name not in COMMANDS_OWN}
    for variable, text in variables.items():
        for name in names:
            prefix = f"CLOUDSERVE_{name.upper().replace('-', '_')}_"
            if variable.startswith(prefix) and len(variable) > len(prefix):
                found[name][variable.removeprefix(prefix).lower()] = text
                break
    targets = {
        name: replace(target, fields={**target.fields, **found[name], **overrides})
        for name, target in project.targets.items()
    }
    return replace(project, targets=targets)
