"""The subject of a recording or a replay, by name: a URL, a directory, a model on a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cloudserve.client.client import Client
from cloudserve.errors import RemoteError, UserError
from cloudserve.golden.ask import Ask, ask_url, served_locally
from cloudserve.project import Project
from cloudserve.savedmodel import resolve
from cloudserve.storage.model_source import ModelSource

FORMS = (
    "give a directory, http://HOST:PORT/v1/models/NAME, grpc://HOST:PORT/NAME, or "
    "MODEL[:VERSION][@TARGET]"
)
HTTP = ("http://", "https://")
GRPC = ("grpc://", "grpcs://")
_REFUSED = 400


@contextmanager
def asking(
    subject: str, project: Project | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Ask]:
    """Yield the Ask of a subject, which is served in this process if it is a directory.

    A subject is a URL, a directory, `MODEL[:VERSION]` of the project, or `MODEL[:VERSION]@TARGET`
    (without a version, the traffic split decides who answers). Raises UserError for an unknown
    subject, ModelError for one that does not load.
    """
    if subject.startswith(HTTP):
        yield ask_url(subject)
        return
    if subject.startswith(GRPC):
        with Client(subject) as client:
            yield _over_grpc(client)
        return
    name, at, target = subject.partition("@")
    if at and project is not None and not Path(subject).exists():
        model, _, version = name.partition(":")
        yield Client(project, model, target, version=version or None, environ=environ).send
        return
    with served_locally(_directory(subject, project, environ)) as ask:
        yield ask


def _over_grpc(client: Client) -> Ask:
    """Return an Ask over gRPC, which refuses invalid requests as a server does."""

    def ask(body: bytes) -> bytes:
        try:
            return client.send(body)
        except UserError as error:
            raise RemoteError(
                error.message, where=error.where or client.where, status=_REFUSED, hint=error.hint
            ) from error

    return ask


def _directory(subject: str, project: Project | None, environ: Mapping[str, str] | None) -> Path:
    path = Path(subject)
    if path.exists():
        return resolve(path)[1]
    if project is None:
        raise UserError(f"there is no directory `{subject}`", where=subject, hint=FORMS)
    name, _, version = subject.partition(":")
    if version and not version.isdecimal():
        raise UserError(f"`{version}` is not a version", where=subject, hint=FORMS)
    return ModelSource(project.model(name), environ).resolve(int(version) if version else None)[1]
