"""The record of one step of a canary, as the ledger keeps it: evidence, decision and reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from cloudserve.release.canary.evidence import Counts
from cloudserve.release.verdict import Ruling, Verdict

PROBES, METRICS = "probes", "metrics"
"""Whose requests were counted: cloudserve's own, or the users'."""
CLASS = "class "
"""What the name of a measure of a class of predictions begins with."""
CANARY = "canary"
"""The name of a canary's verdicts in reports."""


class Decision(StrEnum):
    """What the evidence of a step has decided."""

    WATCHING = "watching"
    """Nothing yet. A process watches the canary, or was killed while it did."""
    PASSED = "passed"
    WORSE = "worse"
    UNDECIDED = "undecided"
    """The deadline came first."""
    STOPPED = "stopped"
    """An error or an interrupt ended the canary."""


ROLLED_BACK = frozenset({Decision.WORSE, Decision.UNDECIDED, Decision.STOPPED})
"""The decisions after which the live revision gets all traffic again."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts of one kind of event on both revisions, and their e-values."""

    name: str
    """The event: `errors`, `slow`, or `class NAME`."""
    source: str
    """Whose requests are counted: `probes` or `metrics`."""
    live: Counts
    canary: Counts
    margin: float
    """The greatest difference of shares that is accepted."""
    e_worse: float
    """The e-value against "the event is at most as probable on the canary"."""
    e_passed: float
    """The e-value against "the event is more probable on the canary, by at least the margin"."""
    threshold: float = 0.0
    """The seconds of a slow request, or the upper end of a class; 0 if there is none."""


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """What is known of one step of a canary at one time."""

    run: str
    """The id of the process's run, which all its steps share."""
    live: str
    """The revision that the canary is compared with."""
    decision: Decision
    begun: datetime
    """When the canary's first step began; the deadline counts from here."""
    since: datetime
    """When this step began."""
    reason: str = ""
    """Why it was decided so, a clause without a full stop."""
    measures: tuple[Measured, ...] = ()

    def find(self, name: str, source: str) -> Measured | None:
        """Return the counts of one event in the requests of one source."""
        fits = (m for m in self.measures if (m.name, m.source) == (name, source))
        return next(fits, None)

    @property
    def sentence(self) -> str:
        """Return the decision with its reason: `canary passed: 564 requests to each: …`."""
        if self.decision is Decision.WATCHING:
            return f"canary not decided since {self.since:%Y-%m-%d %H:%M:%S}: {self._counted}"
        return f"canary {self.decision}: {self.reason or self._counted}"

    @property
    def _counted(self) -> str:
        shares = ", ".join(f"{m.name} {m.canary.share:.1%} ({m.source})" for m in self.measures)
        return shares or "nothing measured"

    def verdict(self, percent: int) -> Verdict:
        """Return the decision on the step of a percentage as a report shows it."""
        is_passed = self.decision is Decision.PASSED
        figures = {f"{m.name} ({m.source})": msgspec.to_builtins(m) for m in self.measures}
        return Verdict(
            CANARY,
            Ruling.PASSED if is_passed else Ruling.REFUSED,
            f"at {percent} % of the traffic {self.decision}: {self.reason or self._counted}",
            figures=figures,
        )

    @property
    def is_rolled_back(self) -> bool:
        """Return whether the decision takes the canary's traffic back."""
        return self.decision in ROLLED_BACK
