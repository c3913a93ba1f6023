"""A prediction as a conversation: steps to perform, until there is an answer.

The generator `predict` yields steps and is sent their results. It decides what is sent, split and
sent again; a driver performs the steps over a channel, in a thread or on an event loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from cloudserve.client.answer import Answer
from cloudserve.client.payloads.parts import join, split
from cloudserve.client.payloads.payload import Payload, check_payload, choose_signature
from cloudserve.client.payloads.rows import plain_rows
from cloudserve.client.retry import Deadline, Retry, draw
from cloudserve.client.transports.address import check_version
from cloudserve.client.transports.channel import Call, Contract, Reply, Wire
from cloudserve.errors import RemoteError, UnreachableError, UserError


@dataclass(frozen=True, slots=True)
class Describe:
    """A step: read the signatures of a version."""

    version: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Confirm:
    """A step: find out whether uncertain signatures are those of what answers."""

    version: str


@dataclass(frozen=True, slots=True)
class Send:
    """A step: send one request."""

    call: Call
    request: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A step: wait."""

    seconds: float


Step = Describe | Confirm | Send | Pause
Steps = Generator[Step, Any, Any]
_REFRESH_SECONDS = 30.0
"""How long a version counts as the current one if the server's answers do not name it."""


@dataclass(slots=True)
class Known:
    """The contracts that were read, by the requested version, and when."""

    contracts: dict[str, tuple[Contract | None, float]] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic

    def get(self, version: str, wire: Wire) -> tuple[Contract | None, bool]:
        """Return a contract, and whether it is known and still current."""
        contract, since = self.contracts.get(version, (None, -1.0))
        if since < 0:
            return None, False
        moves = wire.pins and not version.isdecimal()
        return contract, not moves or self.clock() - since < _REFRESH_SECONDS

    def put(self, version: str, contract: Contract | None) -> None:
        """Keep a contract."""
        self.contracts[version] = (contract, self.clock())

    def forget(self, version: str) -> None:
        """Have the contract of a version read again."""
        self.contracts.pop(version, None)


@dataclass(frozen=True, slots=True)
class Question:
    """A prediction that a program asks for."""

    inputs: Any
    signature: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        """Raises UserError for an invalid version."""
        check_version(self.version)


@dataclass(slots=True)
class Conversation:
    """One prediction, with its deadline."""

    wire: Wire
    known: Known
    retry: Retry
    deadline: Deadline
    attempts: int = 0
    doubt: str = ""
    """What may be wrong with the payload."""

    def predict(self, question: Question) -> Generator[Step, Any, Answer]:
        """Yield the steps of a prediction and return its answer; raises CloudserveError."""
        begin = time.monotonic()
        try:
            replies = yield from self._replies(question)
        except RemoteError as error:
            if not self._may_have_moved(error, question):
                error.hint = self._hint(error)
                raise
            self.known.forget(question.version)
            replies = yield from self._replies(question)
        versions = tuple(dict.fromkeys(reply.version for reply in replies if reply.version))
        seconds = time.monotonic() - begin
        self._notice(question.version, versions)
        return Answer(
            join(replies, self.wire.where),
            ", ".join(versions),
            self.wire.where,
            seconds,
            len(replies),
            self.attempts,
        )

    def _replies(self, question: Question) -> Generator[Step, Any, Sequence[Reply]]:
        contract = yield from self._contract(question.version)
        calls = yield from self._calls(question, contract)
        requests = [pair for call in calls for pair in split(call, self.wire)]
        replies = []
        for call, request in requests:
            replies.append((yield from self._send(call, request)))
        return replies

    def _hint(self, error: RemoteError) -> str | None:
        """Return the error's hint, or the doubt about a payload that was refused."""
        is_refused = not error.retryable and not isinstance(error, UnreachableError)
        return self.doubt if self.doubt and is_refused else error.hint

    def _may_have_moved(self, error: RemoteError, question: Question) -> bool:
        """Return whether a version that this client chose may have been replaced."""
        contract, _ = self.known.get(question.version, self.wire)
        return (
            error.status == HTTPStatus.NOT_FOUND
            and self.wire.pins
            and contract is not None
            and bool(contract.version)
            and not question.version.isdecimal()
        )

    def _notice(self, version: str, answered: tuple[str, ...]) -> None:
        """Forget the signatures of another version than the one that answered."""
        contract, _ = self.known.get(version, self.wire)
        if contract and contract.version and answered and answered != (contract.version,):
            self.known.forget(version)

    def _contract(self, version: str) -> Generator[Step, Any, Contract | None]:
        contract, is_current = self.known.get(version, self.wire)
        if not is_current:
            contract = yield from self._repeated(lambda seconds: Describe(version, seconds))
            self.known.put(version, contract)
        return contract

    def _calls(
        self, question: Question, contract: Contract | None
    ) -> Generator[Step, Any, Sequence[Call]]:
        version = question.version
        if contract is None:
            rows = plain_rows(question.inputs, self.wire.where)
            return (Call(question.signature, version, rows=rows),)
        if self.wire.pins and contract.version:
            version = contract.version
        try:
            payload = self._checked(question, contract)
        except UserError:
            if contract.is_certain or (yield Confirm(question.version)):
                raise
            self.known.put(question.version, None)
            rows = plain_rows(question.inputs, self.wire.where)
            return (Call(question.signature, version, rows=rows),)
        self.doubt = payload.doubt
        return (Call(payload.spec.name, version, payload.inputs, payload.spec),)

    def _checked(self, question: Question, contract: Contract) -> Payload:
        spec = choose_signature(contract.signatures, question.signature, self.wire.where)
        return check_payload(question.inputs, spec, self.wire.where)

    def _send(self, call: Call, request: Any) -> Generator[Step, Any, Reply]:
        def step(seconds: float) -> Send:
            self.attempts += 1
            return Send(call, request, seconds)

        reply: Reply = yield from self._repeated(step)
        return reply if reply.version else replace(reply, version=_named(call))

    def _repeated(self, step: Callable[[float], Step]) -> Steps:
        """Perform a step, again if its failure allows it, within the deadline."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return (yield step(self.deadline.check(self.wire.where)))
            except RemoteError as error:
                if not self.retry.allows(error, attempt):
                    raise
                pause = self.retry.seconds(error, attempt, draw)
                if pause >= self.deadline.left:
                    raise
            yield Pause(pause)


def _named(call: Call) -> str:
    return call.version if call.version.isdecimal() else ""
