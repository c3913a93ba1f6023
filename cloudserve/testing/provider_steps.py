"""Steps of the contract tests: upload a revision, plan, perform, promote, undeploy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cloudserve.release.provider import Provider, UndeployProvider
from cloudserve.release.types import Action, Deployment, Location, Revision
from cloudserve.storage.events import SILENT, Reporter


def put(provider: Provider, model: str, number: int, source: Path, *, salt: str = "") -> Revision:
    """Upload a SavedModel directory as a revision, the way the release engine lays it out.

    Revisions of one `number` and `salt` are the same revision, whatever the source.
    """
    revision = Revision(number, hashlib.sha256(f"{number} {salt}".encode()).hexdigest())
    provider.blobs.ensure(SILENT)
    prefix = locate(provider, model, revision).saved_model
    for file in sorted(source.rglob("*")):
        if file.is_file():
            provider.blobs.upload(prefix + file.relative_to(source).as_posix(), file, {})
    return revision


def locate(provider: Provider, model: str, revision: Revision) -> Location:
    """Return the location that `put` uploads a revision to."""
    root = f"contract/{model}/{revision.id}/"
    return Location(provider.blobs.url, root, model, revision.number)


def plan(provider: Provider, model: str, revision: Revision) -> tuple[Action, ...]:
    """Read the platform and plan a deployment."""
    location = locate(provider, model, revision)
    return provider.plan_deploy(provider.read(model), revision, location)


def deploy(
    provider: Provider, model: str, number: int, source: Path, *, salt: str = ""
) -> Revision:
    """Upload a SavedModel directory as a revision, and deploy it."""
    revision = put(provider, model, number, source, salt=salt)
    perform(provider, plan(provider, model, revision))
    return revision


def perform(provider: Provider, actions: Iterable[Action]) -> list[str]:
    """Perform actions and return the lines of progress."""
    lines: list[str] = []
    reporter = Reporter(lines.append)
    for action in actions:
        provider.perform(action, reporter)
    return lines


def promote(provider: Provider, model: str, revision: Revision, percent: int = 100) -> None:
    """Give a revision all traffic, or a part."""
    perform(provider, provider.plan_traffic(provider.read(model), revision.id, percent))


def removal(provider: Provider, model: str, *revisions: Revision) -> tuple[Action, ...]:
    """Plan to undeploy these revisions, or the model as a whole."""
    assert isinstance(provider, UndeployProvider)
    ids = tuple(revision.id for revision in revisions) or None
    return provider.plan_undeploy(provider.read(model), ids)


def live(deployment: Deployment) -> dict[str, float]:
    """Return the revisions with traffic and their shares, to four digits."""
    return {name: round(share, 4) for name, share in deployment.traffic.items() if share}
