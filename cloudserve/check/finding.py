"""Findings: what is odd in a model, why it matters, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

UNREADABLE = "unreadable"
"""The rule of models whose files cannot be read; no other rule is applied to them."""


class Severity(StrEnum):
    """What happens if nothing is done about a finding."""

    ERROR = "error"
    """No server answers with the model, or a signature of it never answers."""
    WARNING = "warning"
    """Some requests, or some platforms, refuse what the model needs."""
    NOTE = "note"
    """The model works, but perhaps not as its author expects."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a rule."""

    rule: str
    """The rule's name, such as `no-signature`."""
    severity: Severity
    text: str
    """What is odd: a sentence without a full stop."""
    why: str
    """The consequence, with the server or platform: a sentence without a full stop."""
    hint: str
    """What to do, in the imperative."""
    signature: str = ""
    """The signature that it is about; "" for the model as a whole."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The findings on one SavedModel, errors first."""

    path: Path
    number: int
    findings: tuple[Finding, ...]
    rules: tuple[str, ...]
    """The rules that were applied, in their order."""
    unchecked: tuple[str, ...] = ()
    """What was not checked, and why: a sentence each."""
    url: str = ""
    """The URL that `path` is a copy of; "" for a model of this machine."""

    @property
    def where(self) -> str:
        """Return where the user has the model: its URL, or its path."""
        return self.url or str(self.path)

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(one.severity is severity for one in self.findings)

    @property
    def is_readable(self) -> bool:
        """Return whether all rules were applied."""
        return self.rules != (UNREADABLE,)

    @property
    def is_servable(self) -> bool:
        """Return whether there is no error."""
        return not self.count(Severity.ERROR)


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the errors first, otherwise in their order."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda one: order.index(one.severity)))
