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
from cloudserve.golden.file import Example, Golden, Header, Refusal, encode
from cloudserve.golden.labels import count_right

if TYPE_CHECKING:
    from cloudserve.golden.ask import Ask

_OK = 200
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
    unchecked: int = 0
    """Requests without a recorded answer: only a refusal counts as a difference."""

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
            "unchecked": self.unchecked,
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
            answer = decode_answer(_of(ask, example.method)(encode(example.request)), where)
        except UnreachableError:
            raise
        except RemoteError as error:
            self._refused(where, example, error)
            return
        if example.error is not None:
            self._fail(f"{where}: an answer instead of the error {_say(example.error)}")
        if example.answer is not None:
            self.differing += not self.comparison.add_example(example, answer, where)
        if example.labels is not None:
            self.right += count_right(answer, example.labels, self.golden.header.label, where)

    def _refused(self, where: str, example: Example, error: RemoteError) -> None:
        # AI Platform reports a model's error inside an HTTP 200.
        if example.error is None or error.status not in {None, _OK, example.error.status}:
            instead = f" instead of {_say(example.error)}" if example.error else ""
            self._fail(f"{where}: {error.message}{instead}")

    def _fail(self, text: str) -> None:
        self.errors.append(text)
        self.differing += 1


def _say(error: Refusal) -> str:
    return " ".join(("HTTP", str(error.status), error.code)).rstrip()


def replay(golden: Golden, ask: Ask) -> Replayed:
    """Send each request and compare its answer.

    An error that was not recorded is a difference. Raises UnreachableError if nothing answers,
    UserError if labels do not fit the answers, if there is nothing to compare any answer with, or
    for `classify` and `regress` requests if only predict requests can be sent.
    """
    unchecked = sum(not example.is_compared for example in golden.examples)
    if unchecked == len(golden.examples):
        raise UserError(
            "no request has a recorded answer to compare: their fields were redacted",
            hint="record answers to them: cloudserve golden record FILE --from SUBJECT --out FILE",
        )
    for method in sorted({example.method for example in golden.examples}):
        _of(ask, method)
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
        unchecked,
    )


def _of(ask: Ask, method: str) -> Ask:
    """Return what sends requests of a method; "" is predict. Raises UserError if nothing does."""
    from cloudserve.golden.ask import MethodAsk

    if not method:
        return ask
    if not isinstance(ask, MethodAsk):
        raise UserError(
            f"the file has {method} requests, and this answers only predict requests",
            hint="replay them against a model server's http://HOST:PORT/v1/models/NAME, or a "
            "directory",
        )
    return ask.by_method(method)


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
            answer = decode_answer(ask(encode(request)), where)
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
