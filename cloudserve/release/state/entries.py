"""The entries of the ledger, and the releases that they tell of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from cloudserve._version import __version__
from cloudserve.release.canary.record import CanaryRecord
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Operation
from cloudserve.release.verdict import Verdict


class Event(StrEnum):
    """What an entry tells."""

    STARTED = "started"
    GATE = "gate"
    """A gate was checked; a refusal ends the release."""
    STEP = "step"
    EVIDENCE = "evidence"
    """The evidence of a canary's step; it may follow the end of its release."""
    FINISHED = "finished"
    STOPPED = "stopped"
    APPROVED = "approved"
    """A person approved a digest; the entry belongs to no release."""
    WITHDRAWN = "withdrawn"
    """A person withdrew all approvals of a digest."""
    REFUSED = "refused"
    """No entry has it: a release whose last entry is a gate's refusal."""
    SUPERSEDED = "superseded"
    """No entry has it: a release without an end that a later one replaced."""


NO_END = (Event.STARTED, Event.GATE, Event.STEP)
APPROVALS = (Event.APPROVED, Event.WITHDRAWN)


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of a release, as it is written."""

    release: str
    event: Event
    operation: Operation
    target: str
    model: str
    revision: str
    digest: str
    time: datetime
    who: str
    person: str = ""
    """The caller as the cloud named it (`Destination.person`); "" if it did not."""
    action: str = ""
    """The id of the step that was done, or that the release stopped at."""
    sentence: str = ""
    """What the step did; of an approval the comment."""
    error: str = ""
    previous: str | None = None
    """The revision that was live before."""
    percent: int = ALL
    """The share of the traffic that the release was for."""
    plan: str = ""
    """The id of the approved plan, where one was applied."""
    removes: tuple[str, ...] = ()
    """The revisions that an undeploy removes."""
    everything: bool = False
    """Whether an undeploy removes the model as a whole."""
    environment: str = ""
    """The environment of the project file that was chosen."""
    supersedes: str = ""
    """The id of a release without an end that this one, which starts, takes the place of."""
    run: str = ""
    """The id of the run that wrote another release's end."""
    verdict: Verdict | None = None
    """The verdict of the gate that was checked."""
    canary: CanaryRecord | None = None
    """What is known of the step of a canary that the release is for."""
    tool: str = f"cloudserve {__version__}"
    schema: int = 1

    @property
    def outcome(self) -> Event:
        """Return what a release is that ends with this entry."""
        is_refused = self.verdict is not None and self.verdict.is_refused
        return Event.REFUSED if is_refused else self.event


@dataclass(frozen=True, slots=True)
class Release:
    """A release as the ledger tells it, its entries folded together; or an approval."""

    id: str
    operation: Operation
    target: str
    model: str
    revision: str
    digest: str
    previous: str | None
    started: datetime
    who: str
    outcome: Event
    error: str = ""
    steps: tuple[str, ...] = ()
    """The sentences of the steps that were done."""
    percent: int = ALL
    """The share of the traffic that it was for."""
    plan: str = ""
    """The id of the approved plan, where one was applied."""
    removes: tuple[str, ...] = ()
    """The revisions that an undeploy removes."""
    everything: bool = False
    """Whether an undeploy removes the model as a whole."""
    ended_by: str = ""
    """Who recorded the end of an interrupted release that did not record its own."""
    superseded_by: str = ""
    """The release that began in its place, such as `promote v3-0f3c5a9b7d21`."""
    run: str = ""
    """The id of the run that recorded its end, where that was a later one."""
    verdicts: tuple[Verdict, ...] = ()
    """The verdicts of the gates that were checked, in their order."""
    canary: CanaryRecord | None = None
    """The last evidence of a canary's step; None if it is not one."""
    person: str = ""
    """The caller as the cloud named it; "" if it did not, and `who` is all that is known."""
    comment: str = ""
    """The comment of an approval."""

    @property
    def has_end(self) -> bool:
        """Return whether the ledger tells how it ended."""
        return self.outcome not in NO_END


def later_entry(release: Release, event: Event, who: str) -> Entry:
    """Return an entry that another run adds to a release."""
    return Entry(
        release=release.id,
        event=event,
        operation=release.operation,
        target=release.target,
        model=release.model,
        revision=release.revision,
        digest=release.digest,
        time=datetime.now(UTC),
        who=who,
        previous=release.previous,
        percent=release.percent,
        plan=release.plan,
        removes=release.removes,
        everything=release.everything,
    )


def fold(entries: list[Entry], later: Entry | None) -> Release:
    """Return the release that entries tell of; `later` began in its place if it has no end."""
    events = [entry for entry in entries if entry.event is not Event.EVIDENCE] or entries
    first, last = events[0], events[-1]
    if later is not None and last.outcome not in NO_END:
        later = None  # it was suspended, and recorded its end after all
    return Release(
        id=first.release,
        operation=first.operation,
        target=first.target,
        model=first.model,
        revision=first.revision,
        digest=first.digest,
        previous=first.previous,
        started=first.time,
        who=first.who,
        outcome=Event.SUPERSEDED if later else last.outcome,
        error=last.error,
        steps=tuple(e.sentence for e in entries if e.event is Event.STEP),
        percent=first.percent,
        plan=first.plan,
        removes=first.removes,
        everything=first.everything,
        ended_by=later.who if later else last.who if last.run else "",
        superseded_by=f"{later.operation} {later.revision}".rstrip() if later else "",
        run=last.run,
        verdicts=tuple(entry.verdict for entry in entries if entry.verdict is not None),
        canary=next((e.canary for e in reversed(entries) if e.canary is not None), None),
        person=first.person,
        comment=first.sentence if first.event in APPROVALS else "",
    )
