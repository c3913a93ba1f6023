"""Injected faults in front of the offline clouds: `POST /_cloudserve/faults`, `--faults FILE`.

`GET` returns the active rules and how many requests each has hit, `POST` replaces them, `DELETE`
removes them. The rules are in `faults.rules`. A request that no rule hits is passed on unchanged.
"""

from __future__ import annotations

import inspect
import json
from collections import deque
from collections.abc import Awaitable
from contextlib import nullcontext
from http import HTTPStatus

import msgspec

from ...transport.types import (
    Application,
    BodyTooLargeError,
    ClientGoneError,
    Head,
    Request,
    Response,
)
from ..bodies import collect, collect_limit, read_json
from ..latency import Clock
from .answers import refusal
from .injected import failing
from .rules import Quota, Rule, RuleSet, read_rules

PATH = "/_cloudserve/faults"
_LIMIT = 1 << 20
_JSON = "application/json"


class _Armed:
    """A rule and its counters."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._seen = 0
        self.hits = 0
        self._admitted: deque[float] = deque()

    def takes(self, head: Head, now: float) -> bool:
        """Return whether the rule hits this request, and count it if so."""
        rule = self.rule
        if not rule.matches(head) or (rule.times is not None and self.hits >= rule.times):
            return False
        self._seen += 1
        if self._seen <= rule.skip:
            return False
        if rule.quota is not None and self._admits(rule.quota, now):
            return False
        self.hits += 1
        return True

    def _admits(self, quota: Quota, now: float) -> bool:
        while self._admitted and self._admitted[0] <= now - quota.seconds:
            self._admitted.popleft()
        if len(self._admitted) >= quota.requests:
            return False
        self._admitted.append(now)
        return True

    def shown(self) -> dict[str, object]:
        """Return the rule as it was written, and how many requests it has hit."""
        return {**msgspec.to_builtins(self.rule), "hits": self.hits}


class Faults:
    """An application that injects faults into another, and manages their rules."""

    def __init__(self, app: Application, clock: Clock, rules: RuleSet) -> None:
        self._app = app
        self._clock = clock
        self._armed = [_Armed(rule) for rule in rules.faults]

    def body_limit(self, head: Head) -> int | None:
        """Buffer rules; ask the application for any other request."""
        return collect_limit(head, _LIMIT) if head.path == PATH else self._app.body_limit(head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer, inject a fault, or pass on; without rules the overhead is negligible."""
        if request.head.path == PATH:
            return self._administer(request)
        now = self._clock.now().timestamp()
        hit = next((armed for armed in self._armed if armed.takes(request.head, now)), None)
        return self._app.handle(request) if hit is None else self._break(request, hit.rule)

    async def _break(self, request: Request, rule: Rule) -> Response:
        if rule.latency:
            await self._clock.sleep(rule.latency)
        if rule.drop:
            raise ClientGoneError("an injected fault drops the connection")
        if rule.quota is not None:
            return refusal(request.head, HTTPStatus.TOO_MANY_REQUESTS, _exceeded(rule.quota))
        if rule.status is not None or rule.code:
            return refusal(request.head, rule.status, rule.message, rule.code)
        failure = rule.operation
        planned = (
            failing(*failure.error, with_rollback=failure.fails_rollback)
            if failure
            else nullcontext()
        )
        with planned:
            answer = self._app.handle(request)
            return await answer if inspect.isawaitable(answer) else answer

    async def _administer(self, request: Request) -> Response:
        match request.head.method:
            case "GET":
                return self._shown()
            case "DELETE":
                self._armed = []
                return self._shown()
            case "POST":
                return await self._replace(request)
            case method:
                return _wrong(HTTPStatus.METHOD_NOT_ALLOWED, f"{PATH} has no method {method}.")

    async def _replace(self, request: Request) -> Response:
        """Replace all rules; an invalid one changes nothing."""
        kind = request.head.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A web page cannot send this content type to another site without asking first.
        if kind != _JSON:
            return _wrong(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The rules must be {_JSON}.")
        try:
            rules = read_rules(read_json(await collect(request, _LIMIT)))
        except BodyTooLargeError:
            text = f"The rules have more than {_LIMIT} bytes."
            return _wrong(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
        except ValueError as error:
            return _wrong(HTTPStatus.BAD_REQUEST, f"Invalid fault rules: {error}")
        self._armed = [_Armed(rule) for rule in rules.faults]
        return self._shown()

    def rules(self) -> list[dict[str, object]]:
        """Return the rules, each with the number of requests that it has hit."""
        return [armed.shown() for armed in self._armed]

    def _shown(self) -> Response:
        shown = {"faults": self.rules()}
        return Response(HTTPStatus.OK, json.dumps(shown).encode(), _JSON)


def _exceeded(quota: Quota) -> str:
    return (
        f"Quota exceeded: {quota.requests} requests in {quota.seconds:g} seconds, an injected"
        " limit."
    )


def _wrong(status: HTTPStatus, message: str) -> Response:
    error = {"code": int(status), "message": message}
    return Response(status, json.dumps({"error": error}).encode(), _JSON)
