"""The time of one request by its parts, for a page that asks for it: the header `Server-Timing`.

Source: W3C Server Timing, 3. A request with the header `X-Cloudserve-Timing` is answered by itself,
not together with others of its turn; requests without it are passed on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

from ..deferred import Deferred, Outcome
from ..inference.observation import REQUEST_OBSERVER, Observation, together
from ..transport.types import Application, Head, Request, Response, Together, together_of

HEADER = "x-cloudserve-timing"
_MILLIS = 1e3


class Timed:
    """Measures the requests that ask for it (an Application)."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def body_limit(self, head: Head) -> int | None:
        """Return the application's limit."""
        return self._app.body_limit(head)

    def together(self, head: Head) -> Together | None:
        """Return the application's function; None for a request that is measured."""
        return None if HEADER in head.headers else together_of(self._app, head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Pass the request on; a measured one is answered with its times."""
        if HEADER not in request.head.headers:
            return self._app.handle(request)
        times = _Times()
        with times.observing():
            answer = self._app.handle(request)
        if isinstance(answer, Response):
            return times.add_to(answer)
        if isinstance(answer, Deferred):
            return answer.map(times.settle)
        return times.follow(answer)


class _Times:
    """The moments of one request; its observation may come from another thread."""

    def __init__(self) -> None:
        self._began = perf_counter()
        self._observed: tuple[float, Observation] | None = None

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Observe what the block begins, beside an observer that exists."""
        previous = REQUEST_OBSERVER.get()
        both = together(previous, self._observe) if previous else self._observe
        token = REQUEST_OBSERVER.set(both)
        try:
            yield
        finally:
            REQUEST_OBSERVER.reset(token)

    def _observe(self, observation: Observation) -> None:
        self._observed = perf_counter(), observation

    async def follow(self, answer: Awaitable[Response]) -> Response:
        """Return a response that arrives later, with the times."""
        with self.observing():
            response = await answer
        return self.add_to(response)

    def settle(self, outcome: Outcome[Response]) -> Response:
        """Return a response with the times; raises the error in its place."""
        if isinstance(outcome, BaseException):
            raise outcome
        return self.add_to(outcome)

    def add_to(self, response: Response) -> Response:
        """Return a response with the times, if a version was reached."""
        if self._observed is None:
            return response
        ended, one = self._observed
        parts = {
            "parse": ended - one.seconds - self._began,
            "queue": one.queue_seconds,
            "run": one.run_seconds - one.queue_seconds,
            "check": one.seconds - one.run_seconds,
            "encode": perf_counter() - ended,
        }
        text = ", ".join(f"{name};dur={max(0.0, s) * _MILLIS:.3f}" for name, s in parts.items())
        if one.batch_rows:
            text += f', batch;desc="{one.batch_rows} rows"'
        return replace(response, headers={**response.headers, "Server-Timing": text})
