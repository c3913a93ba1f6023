"""The result of a check: what was found, why it matters, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from cloudserve.errors import CloudserveError


class Status(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    """It works, or may fail later."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It could not be checked."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check."""

    id: str
    """Its name, such as `python` or `bucket`."""
    status: Status
    text: str
    """What was found: a sentence without a full stop."""
    why: str = ""
    """The consequence; "" if there is none."""
    hint: str = ""
    """What to type or to do, in the imperative."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The results of all checks, in their order."""

    subject: str
    """`this machine`, or a target with its destination."""
    results: tuple[Result, ...]

    def count(self, status: Status) -> int:
        """Return the number of results with a status."""
        return sum(one.status is status for one in self.results)

    @property
    def is_healthy(self) -> bool:
        """Return whether no check failed."""
        return not self.count(Status.FAILED)


@runtime_checkable
class DiagnosedProvider(Protocol):
    """A provider that checks its platform for what a release needs."""

    def diagnose(self, models: Sequence[str]) -> Iterable[Result]:
        """Yield the results of checks: of roles, quotas, permissions. Reads, never changes.

        `models` are the project's, whose resources a release would change.

        Raises nothing: a check that cannot be made is a result with the status SKIPPED.
        """
        ...


def failure(id_: str, error: CloudserveError) -> Result:
    """Return an error of the tree as a result, with its hint."""
    where = f" ({error.where})" if error.where else ""
    return Result(id_, Status.FAILED, f"{error.message}{where}", hint=error.hint or "")


def guarded(id_: str, check: Callable[[], Result]) -> Result:
    """Return the result of a check; an error of the tree is a failure."""
    try:
        return check()
    except CloudserveError as error:
        return failure(id_, error)
