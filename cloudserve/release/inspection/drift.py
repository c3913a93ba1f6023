"""Drift: what the project file, the ledger and the platform say differently of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudserve.release.state.entries import Release
from cloudserve.release.state.expected import expected, unfinished_release
from cloudserve.release.traffic import percents
from cloudserve.release.types import Deployment

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of a deployed revision whose value is not the project file's."""

    what: str
    """Such as `instance type of v2-0f3c5a9b7d21`."""
    project: str
    platform: str


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference; a source that does not know of it has `-`."""

    what: str
    project: str = NOTHING
    ledger: str = NOTHING
    platform: str = NOTHING


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The differences for one model on one target; none if all three sources agree."""

    model: str
    target: str
    drifts: tuple[Drift, ...]
    notes: tuple[str, ...] = ()
    """What was not compared, a sentence each."""
    as_of: datetime | None = None
    """The time of the last known state that was compared; None for the present one."""


def find_drifts(
    deployment: Deployment, releases: Sequence[Release], settings: Sequence[Setting]
) -> Iterator[Drift]:
    """Yield the differences; `releases` are the target's, the oldest first."""
    yield from _unfinished(releases)
    state = expected(releases)
    if state.traffic and deployment.state is None and not deployment.traffic:
        yield Drift("endpoint", ledger="exists", platform="deleted")
    ours = {deployed.revision.id for deployed in deployment.revisions}
    for name in sorted(state.deployed | ours):
        if (name in ours) != (name in state.deployed):
            yield Drift(
                f"revision {name}",
                ledger="deployed" if name in state.deployed else "not deployed",
                platform="deployed" if name in ours else "deleted",
            )
    live = percents(deployment.traffic)
    for name in sorted(deployment.traffic.keys() - ours):
        yield Drift(f"deployment {name}", platform=f"not cloudserve's, {live.get(name, 0)} %")
    for name in sorted(state.traffic.keys() | (live.keys() & ours)):
        was, has = state.traffic.get(name, 0), live.get(name, 0)
        if was != has:
            yield Drift(f"traffic of {name}", ledger=f"{was} %", platform=f"{has} %")
    for setting in settings:
        yield Drift(setting.what, project=setting.project, platform=setting.platform)


def _unfinished(releases: Sequence[Release]) -> Iterator[Drift]:
    last = unfinished_release(releases)
    if last is not None:
        subject = last.revision or ", ".join(last.removes) or last.model
        yield Drift("last release", ledger=f"{last.operation} of {subject} is not finished")
