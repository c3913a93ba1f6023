"""The environments of a project file: overrides of targets' fields, chosen by name.

environments:
  prod:
    targets:
      aws: {bucket: s3://my-prod-bucket, tags: {stage: prod}}

Mappings are merged at every depth; null removes a field. An environment is part of the project's
name, `NAME--ENVIRONMENT`, from which owners, tags and keys in the bucket are derived: two
environments never own the same endpoint. Names have single hyphens, so no project has such a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cloudserve.errors import ProjectError, UserError
from cloudserve.hints import did_you_mean
from cloudserve.project.yamlfile import Document, KeyPath

VARIABLE = "CLOUDSERVE_ENV"
KEY, TARGETS = "environments", "targets"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_LIMIT = 20
SEPARATOR = "--"


def project_name(name: str, environment: str) -> str:
    """Return the project's name in an environment; "" chooses none."""
    return f"{name}{SEPARATOR}{environment}" if environment else name


def read_environments(
    document: Document, value: Any, name: str, targets: Mapping[str, Any]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the overrides by environment and target.

    Raises ProjectError for names and keys that are wrong, and for a project without a `name`.
    """
    if value is None:
        return {}
    body = _mapping(document, (KEY,), value)
    if body and not name:
        raise ProjectError(
            "a project with `environments` needs a `name`",
            where=document.where((KEY,)),
            hint="add `name: …`: it separates the environments' resources from each other",
        )
    return {key: _environment(document, key, entry, targets) for key, entry in body.items()}


def _environment(
    document: Document, name: str, value: Any, targets: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    path = (KEY, name)
    if not NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise ProjectError(
            f"`{name}` is not an environment's name",
            where=document.where(path),
            hint="use lower-case letters and digits, separated by single hyphens, "
            f"at most {NAME_LIMIT}",
        )
    body = _mapping(document, path, value)
    _check_known(document, path, body, (TARGETS,), "key")
    overrides = _mapping(document, (*path, TARGETS), body.get(TARGETS) or {})
    _check_known(document, (*path, TARGETS), overrides, targets, "target")
    for target, fields in overrides.items():
        place = (*path, TARGETS, target)
        if "provider" in _mapping(document, place, fields):
            raise ProjectError(
                "an environment does not change the `provider` of a target",
                where=document.where((*place, "provider")),
                hint="add a target of the other provider",
            )
    return overrides


def choose(
    environments: Mapping[str, Mapping[str, dict[str, Any]]], name: str, where: str
) -> Mapping[str, dict[str, Any]]:
    """Return an environment's overrides by target; raises UserError for an unknown name."""
    if not name:
        return {}
    if name not in environments:
        known = did_you_mean(name, environments) if environments else f"add it below `{KEY}:`"
        raise UserError(f"the project has no environment `{name}`", where=where, hint=known)
    return environments[name]


def merge(fields: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with overrides, mappings merged at every depth; null removes a field."""
    result = dict(fields)
    for key, value in overrides.items():
        existing = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(existing, dict) and isinstance(value, dict):
            result[key] = merge(existing, value)
        else:
            result[key] = value
    return result


def override_lines(
    document: Document, environment: str, target: str
) -> Iterator[tuple[KeyPath, KeyPath]]:
    """Yield the path below the target and the path in the file of each override."""
    prefix = (KEY, environment, TARGETS, target)
    for path in document.lines:
        if path[: len(prefix)] == prefix and len(path) > len(prefix):
            yield path[len(prefix) :], path


def _check_known(
    document: Document, path: KeyPath, body: Mapping[str, Any], known: Any, what: str
) -> None:
    for key in body:
        if key not in known:
            raise ProjectError(
                f"unknown {what} `{key}`",
                where=document.where((*path, key)),
                hint=did_you_mean(key, known),
            )


def _mapping(document: Document, path: KeyPath, value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    raise ProjectError(
        f"{'.'.join(path)} must be a mapping with strings as keys",
        where=document.where(path),
        hint="environments:\n  prod:\n    targets:\n      TARGET:\n        FIELD: VALUE",
    )
