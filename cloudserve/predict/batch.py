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
from cloudserve.release.state.layout import folder_of
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
    files: tuple[Path, ...] = ()
    """The local files among the inputs, for checks of their content."""


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

    def check_batch(self, model: str, revision_id: str, batch: Batch) -> None:
        """Raise UserError for a job that the platform would refuse. Reads, never changes.

        Local files are not uploaded yet: `batch` has the URLs that they will have.
        """
        ...

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
    before anything is read from the platform, and may raise to stop. Raises UserError for a job
    that the target's platform does not have, and for files that do not exist, before anything is
    uploaded.
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
    blobs, folder = provider.blobs, f"{folder_of(name, project.name)}batch/"
    revision = _chosen(provider.read(name).deployment, version)
    inputs = tuple(_input(blobs, folder, file) for file in files)
    urls = tuple(one.url for one in inputs)
    local = tuple(one.path for one in inputs if one.path is not None)
    request = Batch(urls, output or f"{blobs.url}/{folder}out", form, batch_size, local)
    provider.check_batch(name, revision, request)
    reporter = Reporter(notify)
    for one in inputs:
        _upload(blobs, one, reporter)
    return provider.batch(name, revision, request, reporter)


@dataclass(frozen=True, slots=True)
class _Input:
    """A file of instances; `path` and `key` are of a local one, which has to be uploaded."""

    url: str
    path: Path | None = None
    key: str = ""


def _is_local(file: str) -> bool:
    return "://" not in file


def _check_local(files: tuple[str, ...]) -> None:
    for file in filter(_is_local, files):
        if not Path(file).is_file():
            what = "is not a file" if Path(file).exists() else "does not exist"
            raise UserError(f"`{file}` {what}", hint="give a local file, or a URL of the bucket")
        if not Path(file).stat().st_size:
            raise UserError(f"`{file}` has no instances", hint="write one instance into each line")


def _input(blobs: BlobStore, folder: str, file: str) -> _Input:
    """Return a file with the URL that it has, or will have: local ones are stored by digest.

    Raises UserError for a URL of the target's bucket that names no object.
    """
    if not _is_local(file):
        _check_exists(blobs, file)
        return _Input(file)
    path = Path(file)
    key = f"{folder}in/{_digest(path)}/{path.name}"
    return _Input(f"{blobs.url}/{key}", path, key)


def _check_exists(blobs: BlobStore, url: str) -> None:
    inside = url.removeprefix(f"{blobs.url}/")
    # A URL may be a prefix, or have wildcards; other buckets may not be readable from here.
    prefix = inside.partition("*")[0]
    if inside != url and next(iter(blobs.list(prefix)), None) is None:
        raise UserError(
            f"there is no object `{url}`", hint="give a local file, or the URL of an object"
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


def _upload(blobs: BlobStore, one: _Input, reporter: Reporter) -> None:
    """Upload a local file, unless it is already there."""
    if one.path is not None and blobs.head(one.key) is None:
        reporter.line(f"upload {one.path} to {one.url}")
        blobs.upload(one.key, one.path, {})


def _digest(file: Path) -> str:
    """Return the digest of a file's content and name.

    A platform may take a URL for a prefix, so no other file is in its folder.
    """
    digest = hashlib.sha256(file.name.encode("utf-8", "surrogateescape") + b"/")
    with file.open("rb") as data:
        while block := data.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()[:12]
