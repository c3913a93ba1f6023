"""Golden requests sent again: the differences of the answers, and the accuracy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cloudserve.errors import RemoteError, UnreachableError, UserError
from cloudserve.golden.compare import Comparison, Deviation
from cloudserve.golden.file import Example, Golden, Header
from cloudserve.golden.labels import count_right

if TYPE_CHECKING:
    from cloudserve.golden.ask import Ask

_OTHER_SERVER = "check which server answers there: a proxy, or another container"


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay."""

    requests: int
    differing: int
    """Requests with another answer than the recorded one, or with an error."""
    deviations: tuple[Deviation, ...]
    errors: tuple[str, ...]
    """The refusals, as `request 2: HTTP 400: …`."""
    labels: int
    right: int

    @property
    def accuracy(self) -> float | None:
        """Return the share of labelled instances that were answered right; None without labels."""
        return self.right / self.labels if self.labels else None

    @property
    def ulp(self) -> float:
        """Return the largest distance from a recorded number, in steps of the output's dtype."""
        return max((one.ulp for one in self.deviations), default=0)

    @property
    def findings(self) -> tuple[str, ...]:
        """Return the errors and the outputs with other values, a sentence each."""
        return (*self.errors, *(str(one) for one in self.deviations if one.outside))

    def figures(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {
            "requests": self.requests,
            "differing": self.differing,
            "errors": list(self.errors),
            "outputs": [one.figures() for one in self.deviations],
            "labels": self.labels,
            "right": self.right,
            "accuracy": self.accuracy,
        }


@dataclass(slots=True)
class _Replay:
    golden: Golden
    comparison: Comparison
    errors: list[str] = field(default_factory=list)
    differing: int = 0
    right: int = 0

    def run(self, number: int, example: Example, ask: Ask) -> None:
        where = f"request {number}"
        try:
            answer = decode_answer(ask(msgspec.json.encode(example.request)), where)
        except UnreachableError:
            raise
        except RemoteError as error:
            self.errors.append(f"{where}: {error.message}")
            self.differing += 1
            return
        if example.answer is not None:
            self.differing += not self.comparison.add(example.answer, answer, where)
        if example.labels is not None:
            self.right += count_right(answer, example.labels, self.golden.header.label, where)


def replay(golden: Golden, ask: Ask) -> Replayed:
    """Send each request and compare its answer.

    An error is a difference. Raises UnreachableError if nothing answers, UserError if labels do not
    fit the answers.
    """
    run = _Replay(golden, Comparison(golden))
    for number, example in enumerate(golden.examples, start=1):
        run.run(number, example, ask)
    return Replayed(
        len(golden.examples),
        run.differing,
        tuple(run.comparison.deviations.values()),
        tuple(run.errors),
        golden.labels,
        run.right,
    )


def record(requests: Sequence[Mapping[str, Any]], ask: Ask, header: Header) -> Golden:
    """Record the answers to requests; raises UserError, naming it, for a request that fails."""
    return Golden(replace_header(header), tuple(_record(requests, ask)))


def replace_header(header: Header) -> Header:
    """Return the header with the present time."""
    return msgspec.structs.replace(header, recorded=datetime.now(UTC))


def trim(golden: Golden, most: int) -> Golden:
    """Return the golden file's first examples, at most this many."""
    return replace(golden, examples=golden.examples[:most])


def _record(requests: Sequence[Mapping[str, Any]], ask: Ask) -> Iterator[Example]:
    for number, request in enumerate(requests, start=1):
        where = f"request {number}"
        try:
            answer = decode_answer(ask(msgspec.json.encode(request)), where)
        except UnreachableError:
            raise
        except RemoteError as error:
            raise UserError(
                f"{where} is not answered: {error.message}",
                where=error.where,
                hint="leave it out, or record requests that are answered",
            ) from error
        yield Example(dict(request), answer)


def decode_answer(data: bytes, where: str) -> dict[str, Any]:
    """Decode an answer; TensorFlow Serving writes NaN and Infinity, which only Python reads."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise RemoteError(
            f"{where}: the answer is not JSON: {error}", hint=_OTHER_SERVER
        ) from error
    if not isinstance(document, dict):
        raise RemoteError(f"{where}: the answer is not a JSON object", hint=_OTHER_SERVER)
    return document
