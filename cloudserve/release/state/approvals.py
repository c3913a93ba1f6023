"""The approvals of a revision, and who deployed it, as the ledger tells them.

An approval is of a digest, never of a name or a version number: changed files need another one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudserve.release.state.entries import Entry, Event, Release
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.types import Operation, Revision


@dataclass(frozen=True, slots=True)
class Person:
    """A person, as the cloud named the caller, or else as the machine did."""

    name: str
    is_named_by_cloud: bool

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    @classmethod
    def of(cls, who: str, person: str) -> Person:
        """Return the person of `who` (a convention) and `person` (the cloud's name, or "")."""
        return cls(person or who, bool(person))

    def is_known_to_differ(self, other: Person) -> bool:
        """Return whether both are known to be different people: two names of one source."""
        return self.is_named_by_cloud == other.is_named_by_cloud and self.name != other.name


@dataclass(frozen=True, slots=True)
class Approvals:
    """The people who approved a digest and did not withdraw it, and those who deployed it."""

    approvers: tuple[Person, ...] = ()
    """The newest first."""
    deployers: tuple[Person, ...] = ()

    @property
    def others(self) -> tuple[Person, ...]:
        """Return the approvers who are known to be other people than all deployers."""
        return tuple(one for one in self.approvers if self.deployers and self.is_other(one))

    def is_other(self, person: Person) -> bool:
        """Return whether a person is known to be another one than all deployers."""
        return all(person.is_known_to_differ(deployer) for deployer in self.deployers)


def read_approvals(ledger: Ledger, digest: str) -> Approvals:
    """Read the approvals of a digest; reads the whole ledger."""
    with closing(ledger.newest(with_approvals=True)) as newest:
        return _approvals(release for release in newest if release.digest == digest)


def _approvals(newest: Iterable[Release]) -> Approvals:
    approvers: list[Person] = []
    deployers: list[Person] = []
    is_withdrawn = False
    for release in newest:
        person = Person.of(release.who, release.person)
        if release.outcome is Event.WITHDRAWN:
            is_withdrawn = True
        elif release.outcome is Event.APPROVED and not is_withdrawn:
            approvers.append(person)
        elif release.operation is Operation.DEPLOY and release.outcome is not Event.REFUSED:
            deployers.append(person)
    return Approvals(tuple(dict.fromkeys(approvers)), tuple(dict.fromkeys(deployers)))


def approval_entry(
    place: tuple[str, str], revision: Revision, by: tuple[str, str], event: Event, comment: str
) -> Entry:
    """Return the entry of an approval, or of its withdrawal.

    `place` is the target and the model; `by` is who acts, and the cloud's name of that person.
    """
    return Entry(
        release=uuid.uuid4().hex,
        event=event,
        operation=Operation.APPROVE,
        target=place[0],
        model=place[1],
        revision=revision.id,
        digest=revision.digest,
        time=datetime.now(UTC),
        who=by[0],
        person=by[1],
        sentence=comment,
    )
