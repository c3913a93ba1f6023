"""What a target has as its ledger tells it: the releases, applied one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cloudserve.release.state.entries import Event, Release
from cloudserve.release.traffic import ALL, split
from cloudserve.release.types import Operation

DEPLOYMENTS = (Operation.DEPLOY, Operation.PROMOTE, Operation.ROLLBACK)
REMOVALS = (Operation.UNDEPLOY, Operation.GC)


@dataclass(frozen=True, slots=True)
class Expected:
    """The state of a target after its recorded releases."""

    deployed: frozenset[str] = frozenset()
    """The ids of the deployed revisions."""
    traffic: Mapping[str, int] = field(default_factory=dict)
    """Revision id -> percent of the traffic."""
    last_live: str = ""
    """The revision with the largest share, or that had it before the model was taken down."""

    def after(self, release: Release) -> Expected:
        """Return the state after one more release; an unfinished one changes nothing."""
        if release.outcome is not Event.FINISHED:
            return self
        if release.operation in REMOVALS:
            return self._without(release)
        if release.operation not in DEPLOYMENTS:
            return self  # such as an approval
        deployed = self.deployed | {release.revision}
        if release.operation is not Operation.DEPLOY:
            return _state(deployed, split(_shares(self.traffic), release.revision, release.percent))
        return _state(deployed, self.traffic or {release.revision: ALL})

    def _without(self, release: Release) -> Expected:
        if release.everything:
            return Expected(last_live=release.previous or self.last_live)
        removed = set(release.removes)
        traffic = {name: share for name, share in self.traffic.items() if name not in removed}
        return Expected(self.deployed - removed, traffic, self.last_live)


def expected(releases: Iterable[Release]) -> Expected:
    """Return the state after these releases, the oldest first."""
    state = Expected()
    for release in releases:
        state = state.after(release)
    return state


def unfinished_release(releases: Sequence[Release]) -> Release | None:
    """Return the last release if it is neither finished nor refused; approvals are no releases."""
    kinds = (*DEPLOYMENTS, *REMOVALS)
    last = next((r for r in reversed(releases) if r.operation in kinds), None)
    is_ended = last is None or last.outcome in {Event.FINISHED, Event.REFUSED}
    return None if is_ended else last


def _state(deployed: frozenset[str], traffic: Mapping[str, int]) -> Expected:
    return Expected(deployed, traffic, max(traffic, key=lambda name: traffic[name]))


def _shares(percents: Mapping[str, int]) -> dict[str, float]:
    return {name: percent / ALL for name, percent in percents.items()}
