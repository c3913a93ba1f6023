"""Retries of a prediction: which errors allow one, when, and until when."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from cloudserve.errors import LostAnswerError, RemoteError, UnreachableError, UserError

_MAYBE_PROCESSED = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses that do not tell whether a model ran."""


_STRICT = ("Key Identifier", "does not include key usage", "not marked critical")
"""Of OpenSSL's errors of VERIFY_X509_STRICT, which Python sets by default since 3.13."""
_WEEK = 7 * 24 * 3600
"""The longest deadline: system calls overflow for a month."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a request is sent again that was certainly not processed, and how soon.

    Certainly not processed is a request without a connection, and one that was refused for now:
    HTTP 429 and 503, a full queue over gRPC, a throttled call of a cloud.
    """

    attempts: int = 3
    """The attempts for each request, including the first."""
    lost: bool = False
    """Whether a request whose answer was lost is sent again, too: for models without state."""
    pause: float = 0.1
    """The longest pause before the second attempt, in seconds; it doubles with each."""
    longest: float = 10.0

    def allows(self, error: RemoteError, attempt: int) -> bool:
        """Return whether a request may be sent again after its attempt number `attempt` failed."""
        if attempt >= self.attempts:
            return False
        if isinstance(error, LostAnswerError) or error.status in _MAYBE_PROCESSED:
            return self.lost
        return error.retryable

    def seconds(self, error: RemoteError, attempt: int, draw: Callable[[], float]) -> float:
        """Return the pause: a random part of the bound, and never less than `Retry-After`."""
        bound: float = min(self.longest, self.pause * 2 ** (attempt - 1))
        return max(error.retry_after or 0.0, bound * draw())


def not_connected(what: str, reason: str, where: str) -> UnreachableError:
    """Return the error of a connection that could not be made.

    A certificate that is not trusted will not be trusted the next time either.
    """
    untrusted = "certificate" in reason.lower()
    return UnreachableError(
        f"no {what} answers: {reason}",
        where=where,
        hint=_untrusted_hint(reason)
        if untrusted
        else "check that the server runs, its address and its port",
        retryable=not untrusted,
    )


def _untrusted_hint(reason: str) -> str:
    if any(words in reason for words in _STRICT):
        return "issue the certificate with this extension (RFC 5280): Python 3.13 verifies strictly"
    return "trust its authority: `access=Access(ca_file=…)`, or --ca-file"


class Deadline:
    """The time until which a prediction has to end, with all its parts and retries."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now; raises UserError for a time that is not positive, or longer than a week."""
        if not 0 < seconds <= _WEEK:
            raise UserError(
                f"a timeout of {seconds:g} s {'is too long' if seconds > 0 else 'leaves no time'}",
                hint=f"give a number of seconds above 0, and at most {_WEEK:,}",
            )
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left; 0 after the end."""
        return max(0.0, self._end - self._clock())

    def check(self, where: str) -> float:
        """Return the seconds that are left; raises RemoteError if there are none."""
        left = self.left
        if left <= 0:
            raise RemoteError(
                f"no answer within {self.seconds:g} s",
                where=where,
                hint="give more time, or smaller batches",
            )
        return left


def draw() -> float:
    """Return a random number from 0 to 1: clients that failed together do not retry together."""
    return random.random()  # noqa: S311 - it spreads requests over time
