"""The argument MODEL of commands that read files: a path, a URL, or a model of the project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudserve.cli.options import load
from cloudserve.errors import UserError
from cloudserve.hints import did_you_mean

if TYPE_CHECKING:
    from cloudserve.project import Model

tags_option = click.option(
    "--tags",
    help="The MetaGraph's tags, comma-separated; by default the project's, or `serve`.",
)


def locate(model: str, project_file: Path) -> Model:
    """Return the model at a path or a URL, or the project's model of that name; raises UserError.

    The files of a URL are read by `ModelSource`, and nothing is written to a bucket.
    """
    from cloudserve.project import Model
    from cloudserve.project.model_urls import check_url, is_url
    from cloudserve.savedmodel.checkpoint.prefix import find_checkpoint

    path = Path(model)
    if is_url(model):
        return Model(model, path, url=check_url(model, "the argument MODEL"))
    if path.exists() or find_checkpoint(path):
        return Model(model, path)
    if not project_file.exists():
        raise UserError(
            f"`{model}` does not exist, and there is no project file with a model of that name",
            where=str(project_file),
            hint="give the directory of a SavedModel, or --project",
        )
    models = load(project_file, ()).models
    if model not in models:
        raise UserError(
            f"`{model}` does not exist, and the project has no model of that name",
            where=str(project_file),
            hint=did_you_mean(model, models),
        )
    return models[model]


def resolve_version(model: Model, version: int | None) -> Path:
    """Return the file of a TensorFlow Lite or ONNX model, or the directory of a SavedModel.

    Raises ModelError and UserError as `ModelSource.resolve`.
    """
    return resolve_numbered(model, version)[1]


def resolve_numbered(model: Model, version: int | None) -> tuple[int, Path]:
    """Return a version's number too; see `resolve_version`."""
    from cloudserve.storage.model_source import ModelSource

    return ModelSource(model).resolve_any(version)


def split_tags(tags: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tags of `--tags`, or those of the project."""
    return default if tags is None else tuple(tag.strip() for tag in tags.split(","))


def pairs(texts: Iterable[str], flag: str) -> dict[str, str]:
    """Return the texts NEW=OLD of a flag that can be repeated; raises UserError."""
    found: dict[str, str] = {}
    for text in texts:
        new, equals, old = text.partition("=")
        if not equals or not new or not old or new in found:
            raise UserError(f"`{text}` is not NEW=OLD", hint=f"write {flag} serving_default=run")
        found[new] = old
    return found
