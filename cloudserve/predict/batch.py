"""Batch predictions for files of instances, as a job of the platform."""

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
from cloudserve.release.destination import Destination, destination_of
from cloudserve.release.planning.planner import choose
from cloudserve.release.provider import Provider
from cloudserve.release.state.layout import ROOT
from cloudserve.release.types import Deployment
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.events import Notify, Reporter, ignore

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """The request of a job: bucket URLs of the files, their format, and the output's URL."""

    inputs: tuple[str, ...]
    output: str
    """A bucket URL; the platform creates the job's own directory below it."""
    form: str = "jsonl"
    """The platform's name of the file format: jsonl, csv, tf-record, tf-record-gzip."""
    batch_size: int = 0
    """Instances per request to the container; 0 uses the platform's default."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A job that ended, with all or some of its predictions."""

    job: str
    """The platform's name of the job."""
    revision: str
    output: str
    """URL of the directory with the predictions, and the errors if there are any."""
    succeeded: int
    failed: int
    failures: tuple[str, ...] = ()
    """Some reasons, in the platform's words."""


@runtime_checkable
class BatchProvider(Provider, Protocol):
    """A Provider whose platform has batch predictions."""

    def batch(self, model: str, revision_id: str, batch: Batch, reporter: Reporter) -> BatchResult:
        """Run a job with a revision, deployed or not, and wait until it ends.

        Raises RemoteError with the reason of a failed job; at the deadline the job continues.
        """
        ...


def anywhere(destination: Destination) -> None:
    """Allow any destination: the default for programs."""


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
    notify: Notify = ignore,
    begin: Callable[[Destination], None] = anywhere,
) -> BatchResult:
    """Predict for files of instances: local paths, which are uploaded, or bucket URLs.

    `version` selects a revision other than the live one. `begin` is called with the destination
    before anything is uploaded or started, and may raise to stop. Raises UserError if the target's
    platform has no batch predictions, or a file does not exist.
    """
    name = project.model(model).name
    place = project.target(target)
    provider = registry.provider(place, os.environ if environ is None else environ)
    if not isinstance(provider, BatchProvider):
        raise UserError(
            f"a target of `{place.provider}` has no batch predictions",
            where=place.where,
            hint="use a target of `vertex` or `sagemaker`, or `cloudserve predict`",
        )
    _check_local(files)
    begin(destination_of(place, provider.destination()))
    revision = _chosen(provider.read(name).deployment, version)
    prefix = f"{ROOT}/{name}/batch/"
    reporter = Reporter(notify)
    inputs = tuple(
        _upload(provider.blobs, prefix, Path(file), reporter) if _is_local(file) else file
        for file in files
    )
    request = Batch(inputs, output or f"{provider.blobs.url}/{prefix}out", form, batch_size)
    return provider.batch(name, revision, request, reporter)


def _is_local(file: str) -> bool:
    return "://" not in file


def _check_local(files: tuple[str, ...]) -> None:
    for file in files:
        if _is_local(file) and not Path(file).is_file():
            raise UserError(
                f"there is no file `{file}`", hint="give a local file, or a URL of the bucket"
            )


def _chosen(deployment: Deployment, version: str | None) -> str:
    if version is not None:
        return choose(deployment, version).revision.id
    if deployment.live and deployment.find(deployment.live):
        return deployment.live
    raise UserError(
        f"no revision of {deployment.model} is live",
        where=f"{deployment.model} on {deployment.target}",
        hint="name one with --version",
    )


def _upload(blobs: BlobStore, prefix: str, file: Path, reporter: Reporter) -> str:
    """Upload a file under its digest, unless it is already there, and return its URL."""
    key = f"{prefix}in/{_digest(file)}/{file.name}"
    if blobs.head(key) is None:
        reporter.line(f"upload {file} to {blobs.url}/{key}")
        blobs.upload(key, file, {})
    return f"{blobs.url}/{key}"


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()[:12]
