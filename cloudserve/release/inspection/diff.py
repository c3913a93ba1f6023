"""The comparison of two models, versions or released revisions, from their files alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudserve import registry
from cloudserve.errors import UserError
from cloudserve.hints import choose_from, did_you_mean, printable
from cloudserve.project import Model, Project
from cloudserve.release.destination import check_placeholders
from cloudserve.release.planning.resolve import meant
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import revision_of, uploaded
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.types import Deployment
from cloudserve.savedmodel import (
    Contract,
    Interface,
    compare_interfaces,
    read_interface,
    resolve,
)
from cloudserve.storage.model_source import ModelSource

LIVE = "live"
FORMS = "give a directory, MODEL[:VERSION] of the project, or MODEL[:VERSION]@TARGET"


@dataclass(frozen=True, slots=True)
class Compared:
    """One side of a comparison."""

    name: str
    """As the caller wrote it."""
    place: str
    """The directory, or the URL in a bucket, that was read."""
    interface: Interface


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two models, in the view of the first one's clients."""

    live: Compared
    new: Compared
    contract: Contract


def diff(
    live: Path | str,
    new: Path | str,
    *,
    project: Project | None = None,
    tags: tuple[str, ...] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare two models: signatures, dtypes, shapes, methods, classes. Needs no TensorFlow.

    Each is a directory (of a base path the highest version), `MODEL[:VERSION]` of the project, or a
    released revision as `MODEL[:VERSION]@TARGET`, by default the live one. `tags` select the
    MetaGraph, by default the project's. Raises UserError for an unknown name, ModelError for files
    that cannot be read.
    """
    reader = _Reader(project, tags, os.environ if environ is None else environ)
    before, after = reader.read(live), reader.read(new)
    return Comparison(before, after, compare_interfaces(before.interface, after.interface))


@dataclass(frozen=True, slots=True)
class _Reader:
    project: Project | None
    tags: tuple[str, ...] | None
    environ: Mapping[str, str]

    def read(self, wanted: Path | str) -> Compared:
        text = str(wanted)
        if isinstance(wanted, Path) or Path(text).exists():
            return self._directory(text, Path(text), None, self.tags or ("serve",))
        if self.project is None:
            raise UserError(f"there is no directory `{text}`", where=text, hint=FORMS)
        name, _, target = text.partition("@")
        name, _, version = name.partition(":")
        model = self._model(self.project, name, text)
        if target:
            return self._released(self.project, model, version or LIVE, target, text)
        _, folder = ModelSource(model, self.environ).resolve(_number(version, text))
        return self._compared(text, folder, self.tags or model.tags)

    def _directory(
        self, name: str, path: Path, number: int | None, tags: tuple[str, ...]
    ) -> Compared:
        _, folder = resolve(path, number)
        return self._compared(name, folder, tags)

    def _compared(self, name: str, folder: Path, tags: tuple[str, ...]) -> Compared:
        return Compared(name, printable(folder), read_interface(folder, tags))

    def _model(self, project: Project, name: str, text: str) -> Model:
        if name not in project.models:
            raise UserError(
                f"`{text}` is not a directory, and the project has no model `{name}`",
                where=str(project.path),
                hint=did_you_mean(name, project.models),
            )
        return project.models[name]

    def _released(
        self, project: Project, model: Model, version: str, name: str, text: str
    ) -> Compared:
        target = project.target(name)
        provider = registry.provider(target, self.environ)
        check_placeholders(target, provider.destination())
        layout = Layout(provider.blobs.url, model.name, name, project.name)
        if version == LIVE:
            chosen = _live(provider.read(model.name).deployment)
        else:
            chosen = _choose(version, uploaded(provider.blobs, layout), text)
        revision = revision_of(chosen)
        reader = UploadedModels(provider.blobs, layout, self.tags or model.tags)
        place = layout.location(revision).saved_model_url
        return Compared(text, place, reader.interface(revision))


def _live(deployment: Deployment) -> str:
    if deployment.live is None:
        raise UserError(
            f"nothing of {deployment.model} is live",
            where=f"{deployment.model} on {deployment.target}",
            hint=f"name a version: {deployment.model}:VERSION@{deployment.target}",
        )
    return deployment.live


def _choose(version: str, names: tuple[str, ...], text: str) -> str:
    fits = meant(version, {name: name.partition("-")[2] for name in names})
    if len(fits) != 1:
        what = "fits several revisions" if fits else "is not in the bucket"
        hint = choose_from(fits or names) if names else "deploy a version first"
        raise UserError(f"version `{version}` {what}", where=text, hint=hint)
    return fits[0]


def _number(version: str, text: str) -> int | None:
    if version and not version.isdecimal():
        raise UserError(
            f"`{version}` is not the number of a version directory",
            where=text,
            hint=f"a released revision is {text}@TARGET",
        )
    return int(version) if version else None
