"""Predictions for files of instances, in a job of the platform's, where it has such jobs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from cloudserve import registry
from cloudserve.errors import UserError
from cloudserve.project import Project
from cloudserve.release.destination import Destination, check_placeholders
from cloudserve.release.nouns import Deployment
from cloudserve.release.planning.planner import choose
from cloudserve.release.provider import Provider
from cloudserve.release.service import quiet
from cloudserve.release.state.layout import ROOT
from cloudserve.storage.contract import BlobStore, Notify

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """A job's request: bucket URLs of the files, their format, and where the answers go."""

    inputs: tuple[str, ...]
    output: str
    """A bucket URL; the platform makes a directory of the job's own below it."""
    form: str = "jsonl"
    """The files' format in the platform's word: jsonl, csv, tf-record, tf-record-gzip."""
    batch_size: int = 0
    """Instances a request to the container; 0 leaves it to the platform."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A job that ended, whole or in part."""

    job: str
    """The platform's name of it."""
    revision: str
    output: str
    """The URL of the directory that has the predictions, and the errors if there are any."""
    succeeded: int
    failed: int
    failures: tuple[str, ...] = ()
    """Some reasons, in the platform's words."""


@runtime_checkable
class BatchProvider(Provider, Protocol):
    """A Provider whose platform runs such jobs."""

    def batch(self, model: str, revision_id: str, batch: Batch, notify: Notify) -> BatchResult:
        """Run a job with a revision, deployed or not, and wait for its end.

        Raises RemoteError with the job's reason when it fails; at the deadline it goes on.
        """
        ...


def anywhere(destination: Destination) -> None:
    """Let a job start wherever it runs: the default for programs."""


def run_batch(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    files: tuple[str, ...],
    *,
    version: str | None = None,
    output: str | None = None,
    form: str = "jsonl",
    batch_size: int = 0,
    environ: Mapping[str, str] | None = None,
    notify: Notify = quiet,
    begin: Callable[[Destination], None] = anywhere,
) -> BatchResult:
    """Predict for files of instances: local paths, which are uploaded, or bucket URLs.

    The live revision answers unless `version` names one. `begin` is called with the destination
    before anything is uploaded or started, and raises to stop it. Raises UserError where the
    target's platform has no such jobs, or a file is not there.
    """
    name = project.model(model).name
    place = project.target(target)
    provider = registry.provider(place, os.environ if environ is None else environ)
    if not isinstance(provider, BatchProvider):
        raise UserError(
            f"a target of `{place.provider}` has no batch predictions",
            where=place.where,
            hint="targets of `vertex` and `sagemaker` have; others answer `cloudserve predict`",
        )
    _check_local(files)
    destination = provider.destination()
    check_placeholders(place, destination)
    begin(destination)
    revision = _chosen(provider.describe(name), version)
    prefix = f"{ROOT}/{name}/batch/"
    inputs = tuple(
        _upload(provider.blobs, prefix, Path(file), notify) if _is_local(file) else file
        for file in files
    )
    request = Batch(inputs, output or f"{provider.blobs.url}/{prefix}out", form, batch_size)
    return provider.batch(name, revision, request, notify)


def _is_local(file: str) -> bool:
    return "://" not in file


def _check_local(files: tuple[str, ...]) -> None:
    for file in files:
        if _is_local(file) and not Path(file).is_file():
            raise UserError(
                f"there is no file `{file}`", hint="give a local file, or a URL of the bucket"
            )


def _chosen(seen: Deployment, version: str | None) -> str:
    if version is not None:
        return choose(seen, version).revision.id
    if seen.live and seen.find(seen.live):
        return seen.live
    raise UserError(
        f"no revision of {seen.model} is live",
        where=f"{seen.model} on {seen.target}",
        hint="name one with --version",
    )


def _upload(blobs: BlobStore, prefix: str, file: Path, notify: Notify) -> str:
    """Put a file into the bucket under its digest, if it is not there, and return its URL."""
    key = f"{prefix}in/{_digest(file)}/{file.name}"
    if blobs.head(key) is None:
        notify(f"upload {file} to {blobs.url}/{key}")
        blobs.upload(key, file, {})
    return f"{blobs.url}/{key}"


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()[:12]
