"""Checks of the project file: that it can be read, its models, its targets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cloudserve import registry
from cloudserve.doctor.result import Result, Status, guarded
from cloudserve.plural import counted
from cloudserve.project import Model, Project, Target


def check_project(project: Project, environ: dict[str, str]) -> Iterator[Result]:
    """Yield the results; no network is reached."""
    models, targets = project.models.values(), project.targets.values()
    text = f"{project.path}: {counted(len(models), 'model')}, {counted(len(targets), 'target')}"
    yield Result("project", Status.OK, text)
    for model in models:
        yield guarded(f"model {model.name}", partial(_model, model))
    for target in targets:
        yield guarded(f"target {target.name}", partial(_target, target, environ))


def _model(model: Model) -> Result:
    from cloudserve.savedmodel import resolve

    identity = f"model {model.name}"
    if model.url:
        return Result(identity, Status.SKIPPED, f"{model.url} is read when it is released")
    number, folder = resolve(Path(model.path), None)
    return Result(identity, Status.OK, f"the newest version is {number}, in {folder}")


def _target(target: Target, environ: dict[str, str]) -> Result:
    """Make the target's provider, which checks its fields and that its packages are installed."""
    registry.provider(target, environ)
    return Result(
        f"target {target.name}", Status.OK, f"the fields of `{target.provider}` are valid"
    )
