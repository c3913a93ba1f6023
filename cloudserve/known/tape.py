"""Tapes: the way of all reads of a target's services, so that they can be kept and repeated.

An adapter asks each question by its tape. `Tape` itself passes it on, a `Recorder` keeps the answer
too, and a `Recording` answers from what was kept and reaches no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

from cloudserve.errors import UserError

T = TypeVar("T")
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Tape:
    """Passes questions on, and keeps nothing."""

    is_offline = False
    """Whether no client may be made, and no connection opened."""
    as_of: datetime | None = None
    """The time of the answers, if they are not the present ones."""
    answers: Mapping[str, Any] = NOTHING
    """The known answers, by their questions."""
    earlier: Mapping[str, Any] = NOTHING
    """Answers of an earlier tape, for objects that have not changed."""
    largest = 0
    """The bytes of the largest object that is read; 0 without a limit."""

    @property
    def keeps(self) -> bool:
        """Return whether answers are kept: then a list is read to its end."""
        return False

    def ask(self, question: str, fetch: Callable[[], T]) -> T:
        """Return the answer to a question; `fetch` gets it from the service.

        Equal questions have equal texts, which name no port of an emulator. Answers consist of
        dictionaries, lists, texts, numbers, bytes and times, because they are stored.
        """
        del question
        return fetch()

    def check_change(self) -> None:
        """Raise UserError before a change unless each question is asked again.

        A release reads again under its lock, waits for operations and compares before it writes.
        """
        if self.is_offline:
            raise UserError(
                "nothing is changed with --offline", hint="run the command without --offline"
            )
        if self.keeps:
            raise UserError(
                "nothing is changed with a tape that repeats its answers",
                hint="make other `Releases` for it, without `tape`",
            )

    def listed(self, beginning: str) -> Iterator[tuple[str, Any]]:
        """Yield the rest and the answer of each known question with this beginning."""
        for question, answer in tuple(self.answers.items()):
            if question.startswith(beginning):
                yield question.removeprefix(beginning), answer


class Recorder(Tape):
    """Asks each question once, keeps its answer and gives it again: one reading of the services."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        """The time before the first answer."""
        self.answers: dict[str, Any] = {}

    @property
    def keeps(self) -> bool:
        """Return True."""
        return True

    def ask(self, question: str, fetch: Callable[[], T]) -> T:
        """Return the answer, from the service if it is not known; errors are not kept."""
        if question not in self.answers:
            self.answers[question] = fetch()
        answer: T = self.answers[question]
        return answer


class Recording(Tape):
    """Answers from what a `Recorder` kept, and never asks a service."""

    is_offline = True

    def __init__(self, as_of: datetime, answers: Mapping[str, Any]) -> None:
        self.as_of = as_of
        self.answers = answers

    @property
    def keeps(self) -> bool:
        """Return True."""
        return True

    def ask(self, question: str, fetch: Callable[[], T]) -> T:
        """Return the known answer; raises UserError for another question."""
        del fetch
        if question not in self.answers:
            raise unknown(question)
        answer: T = self.answers[question]
        return answer


LIVE = Tape()


def unknown(question: str) -> UserError:
    """Return the error of a question that the last known state does not answer."""
    return UserError(
        "the last known state does not answer this: it was not read then",
        where=question,
        hint="run the same command without --offline",
    )
