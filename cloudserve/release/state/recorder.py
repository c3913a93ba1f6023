"""The progress of one release, written to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cloudserve.release.canary.record import CanaryRecord
from cloudserve.release.state.entries import Entry, Event
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.types import Plan
from cloudserve.release.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes a plan's progress to the ledger, one entry after every step."""

    ledger: Ledger
    plan: Plan
    release: str
    """The id of the release."""
    who: str
    approved: str = ""
    """The id of the approved plan, if one is applied."""
    supersedes: str = ""
    canary: CanaryRecord | None = None
    """What is known of the canary's step that the release is for."""

    def record(
        self,
        event: Event,
        *,
        action: str = "",
        sentence: str = "",
        error: str = "",
        verdict: Verdict | None = None,
    ) -> None:
        """Append one event of this release."""
        plan = self.plan
        # Also with a stop: it is the release's only entry if its first one could not be written.
        is_edge = event in {Event.STARTED, Event.STOPPED}
        self.ledger.append(
            Entry(
                release=self.release,
                event=event,
                operation=plan.operation,
                target=plan.target,
                model=plan.model,
                revision=plan.revision.id if plan.revision.digest else "",
                digest=plan.revision.digest,
                time=datetime.now(UTC),
                who=self.who,
                person=plan.destination.person if plan.destination else "",
                action=action,
                sentence=sentence,
                error=error,
                previous=plan.previous,
                percent=plan.percent,
                plan=self.approved,
                removes=plan.removes,
                everything=plan.everything,
                environment=plan.destination.environment if plan.destination else "",
                supersedes=self.supersedes if is_edge else "",
                verdict=verdict,
                canary=self.canary if is_edge else None,
            )
        )
