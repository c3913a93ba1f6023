"""The project file: `cloudserve.yaml` -> a frozen Project(models, targets).

A target's fields can come from three places, the first wins: a flag (`--set FIELD=VALUE`), the
environment (`CLOUDSERVE_<TARGET>_<FIELD>`), the file. What fields a target has is its adapter's
affair: the core checks the shape, the adapter the meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Value = str | int | float | bool | None


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
    fields: Mapping[str, Value] = field(default_factory=dict)
    where: str = ""
    """The path in the project file, for errors: `cloudserve.yaml: targets.gcp`."""


@dataclass(frozen=True, slots=True)
class Project:
    """What a project file says, checked."""

    path: Path
    models: Mapping[str, Model]
    targets: Mapping[str, Target]
