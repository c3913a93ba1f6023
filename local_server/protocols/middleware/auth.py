"""Bearer-token authentication in front of an HTTP or gRPC application.

Health checks need no token, over gRPC too: probes carry none. TensorFlow
Serving has no authentication (its issues 1503, 767).
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import lru_cache

from ...status import Code, StatusError
from ...transport.grpc_types import Call, GrpcApplication, Method, Service
from ...transport.types import Application, Head, Request, Response, Together, together_of
from ..errors import error_body, http_status
from .tokens import Tokens

_AUTHORIZATION = "authorization"
_PROBES = frozenset({"/healthz", "/readyz"})
_READING = frozenset({"GET", "HEAD"})
# A browser asks by OPTIONS whether it may send a token; that request carries none.
_PREFLIGHT = "OPTIONS"
_NO_BODY = 0
_NO_TOKEN = "A token is needed: send it as `Authorization: Bearer TOKEN`"  # noqa: S105  not a secret
_WRONG_TOKEN = "The token is not one of this server's"  # noqa: S105  not a secret
# CORS headers of a refusal and of a preflight, so that pages of other sites can read the one and
# send a token after the other.
_CORS = {"Access-Control-Allow-Origin": "*"}
_CORS_WITH_TOKEN = {"Access-Control-Allow-Headers": "Authorization, Content-Type"}


class AuthorizedHttp:
    """Passes on requests that carry a valid token (an Application); others are answered 401.

    With `cors`, pages of other sites may send one, which the CORS headers of TensorFlow Serving do
    not allow.
    """

    def __init__(self, tokens: Tokens, app: Application, *, cors: bool = False) -> None:
        self._tokens = tokens
        self._app = app
        self._guarded = lru_cache(256)(self._guard)
        self._refusal_headers = _CORS if cors else {}
        self._preflight_headers = _CORS_WITH_TOKEN if cors else {}

    def body_limit(self, head: Head) -> int | None:
        """Return the application's limit; the body of a request without a token is not read."""
        if head.method == _PREFLIGHT:
            return _NO_BODY
        return self._app.body_limit(head) if self._is_allowed(head) else None

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Pass a request on, or refuse it before its body is read."""
        head = request.head
        # If the token file changed in between, the body was not collected for the application.
        was_refused = request.stream is not None and self._app.body_limit(head) is not None
        if was_refused or not self._is_allowed(head):
            return self._refuse(head)
        answer = self._app.handle(request)
        if head.method == _PREFLIGHT and isinstance(answer, Response):
            return replace(answer, headers={**answer.headers, **self._preflight_headers})
        return answer

    def together(self, head: Head) -> Together | None:
        """Return the application's function, if a token is asked for at each call."""
        together = together_of(self._app, head)
        if together is None or head.method == _PREFLIGHT:
            return None
        return self._guarded(together, head.headers.get(_AUTHORIZATION))

    def _guard(self, together: Together, shown: str | None) -> Together:
        def answer(requests: Sequence[Request]) -> Sequence[Response | None]:
            if self._tokens.allow(shown):
                return together(requests)
            return [self._refuse(request.head) for request in requests]

        return answer

    def _is_allowed(self, head: Head) -> bool:
        is_probe = head.method in _READING and head.target in _PROBES
        if is_probe or head.method == _PREFLIGHT:
            return True
        return self._tokens.allow(head.headers.get(_AUTHORIZATION))

    def _refuse(self, head: Head) -> Response:
        """Answer 401 with a challenge (RFC 6750 3: an error code only if a token was sent)."""
        has_shown = _AUTHORIZATION in head.headers
        challenge = 'Bearer error="invalid_token"' if has_shown else "Bearer"
        return Response(
            http_status(Code.UNAUTHENTICATED),
            error_body(_WRONG_TOKEN if has_shown else _NO_TOKEN),
            "application/json",
            {"WWW-Authenticate": challenge, **self._refusal_headers},
        )


class AuthorizedGrpc:
    """Passes on calls that carry a valid token (a GrpcApplication).

    Others are UNAUTHENTICATED before their message is decoded.
    """

    def __init__(self, tokens: Tokens, app: GrpcApplication) -> None:
        self._tokens = tokens
        self._app = app

    def services(self) -> Sequence[Service]:
        """Return the application's services, each method guarded."""
        return [self._guarded(service) for service in self._app.services()]

    def _guarded(self, service: Service) -> Service:
        methods = {name: self._guard(method) for name, method in service.methods.items()}
        return replace(service, methods=methods)

    def _guard(self, method: Method) -> Method:
        own = method.admit

        def admit(call: Call) -> None:
            self.admit(call)
            if own is not None:
                own(call)

        return replace(method, admit=admit)

    def admit(self, call: Call) -> None:
        """Refuse a call without a token (an `Admit`, also for services of the transport)."""
        shown = [str(value) for key, value in call.metadata if key == _AUTHORIZATION]
        # Several are joined as HTTP does, and then no token matches.
        if not self._tokens.allow(", ".join(shown)):
            raise StatusError(Code.UNAUTHENTICATED, _WRONG_TOKEN if shown else _NO_TOKEN)
