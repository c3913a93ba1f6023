"""The reasons to keep a revision: traffic, a rollback, an unfinished release, a label, its age."""

from __future__ import annotations

from collections.abc import Collection as AnyOf
from collections.abc import Iterator, Mapping, Sequence

from cloudserve.release.collection import Hold
from cloudserve.release.planning.planner import rollback_name
from cloudserve.release.state.entries import Event, Release
from cloudserve.release.state.expected import DEPLOYMENTS, REMOVALS, expected, unfinished_release
from cloudserve.release.state.uploaded import number_of
from cloudserve.release.types import Deployment, Operation, State

Reason = tuple[str, str]
"""A revision's id, and a clause."""


def reasons_to_keep(
    deployment: Deployment, releases: Sequence[Release], holds: Mapping[str, Hold]
) -> dict[str, str]:
    """Return why revisions stay, by id; `releases` are the target's, the oldest first."""
    reasons: dict[str, str] = {}
    for source in (
        _by_traffic(deployment),
        _by_ledger(deployment, releases),
        ((name, hold.reason) for name, hold in holds.items() if not hold.files_only),
    ):
        for name, reason in source:
            reasons.setdefault(name, reason)
    return reasons


def newest(names: AnyOf[str], number: int) -> list[str]:
    """Return the `number` newest of some revisions, by their version numbers."""
    return by_age(names)[:number]


def by_age(names: AnyOf[str]) -> list[str]:
    """Return revisions by their version numbers, the highest first."""
    return sorted(names, key=lambda name: (number_of(name), name), reverse=True)


def used_by(releases: Sequence[Release]) -> set[str]:
    """Return the revisions that another target has or may go back to, by its ledger.

    Releases that are not finished count as done if they deploy, and as not done if they remove.
    """
    used: set[str] = set()
    for release in releases:
        if release.operation in REMOVALS:
            if release.outcome is Event.FINISHED:
                used = set() if release.everything else used - set(release.removes)
        elif release.operation in DEPLOYMENTS and release.outcome is not Event.REFUSED:
            used.add(release.revision)
    state = expected(releases)
    moves = [r for r in releases if r.operation in {Operation.PROMOTE, Operation.ROLLBACK}]
    last = {moves[-1].revision, moves[-1].previous or ""} if moves else set()
    return (used | last | {state.last_live}) - {""}


def _by_traffic(deployment: Deployment) -> Iterator[Reason]:
    for name, share in deployment.traffic.items():
        if share > 0:
            yield name, f"it has {share:.0%} of the traffic"
    for deployed in deployment.revisions:
        if deployed.state not in {State.READY, State.FAILED}:
            yield deployed.revision.id, f"it is {deployed.state}"


def _by_ledger(deployment: Deployment, releases: Sequence[Release]) -> Iterator[Reason]:
    state = expected(releases)
    if state.last_live:
        yield state.last_live, "it was live last"
    back = rollback_name(deployment, reversed(releases))
    if back:
        yield back, "a rollback goes back to it"
    yield from _named(releases)
    deploys = [
        r for r in releases if r.operation is Operation.DEPLOY and r.outcome is not Event.REFUSED
    ]
    if deploys:
        yield deploys[-1].revision, "it was deployed last"


def _named(releases: Sequence[Release]) -> Iterator[Reason]:
    """Yield the revisions of the last release if it is not finished: it may be run again."""
    last = unfinished_release(releases)
    if last is not None and last.operation in DEPLOYMENTS:
        reason = f"the {last.operation} of {last.revision} by {last.who} is not finished"
        yield from ((name, reason) for name in (last.revision, last.previous or "") if name)


def owned_names(
    deployed: AnyOf[str], uploaded: AnyOf[str], releases: Sequence[Release]
) -> set[str]:
    """Return the revisions of a target: deployed there, or uploaded and released by it."""
    released = {release.revision for release in releases} | {
        name for release in releases for name in release.removes
    }
    return {*deployed, *(released & set(uploaded))}
