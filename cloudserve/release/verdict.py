"""The verdict of a gate: data that a plan shows and the ledger keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Ruling(StrEnum):
    """What a gate decided."""

    PASSED = "passed"
    REFUSED = "refused"
    OVERRIDDEN = "overridden"
    """It refused, and the caller gave a reason to release all the same."""
    UNCHECKED = "unchecked"
    """It could not be checked; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of one gate on one revision, with its evidence."""

    gate: str
    ruling: Ruling
    sentence: str
    """What was found, and by how much; a clause without a full stop."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """The measured and the demanded values, a JSON object."""
    findings: tuple[str, ...] = ()
    """The single observations, a sentence each."""
    reason: str = ""
    """The reason of an override."""
    hint: str = ""
    """What to do about a refusal."""
    where: str = ""
    """The place of what was found, such as a file and a line; "" for the release itself."""

    def __str__(self) -> str:
        """Return a line such as `gate contract: passed, the signatures are those of v1-…`."""
        reason = f" (override: {self.reason})" if self.reason else ""
        return f"gate {self.gate}: {self.ruling}, {self.sentence}{reason}"

    @property
    def is_refused(self) -> bool:
        """Return whether the release must stop."""
        return self.ruling is Ruling.REFUSED

    def overridden(self, reason: str) -> Verdict:
        """Return a refusal that is overridden with a reason; any other verdict unchanged."""
        if not self.is_refused:
            return self
        return replace(self, ruling=Ruling.OVERRIDDEN, reason=reason)
