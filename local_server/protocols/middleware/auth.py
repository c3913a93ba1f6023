"""Faces that answer only who shows a token: in front of an HTTP or a gRPC application.

What asks after the server's health stays open, over gRPC too: probes have no tokens. TensorFlow
Serving has no authentication (tfserving.md 8: issues 1503, 767).
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace

from ...status import Code, StatusError
from ...transport.grpc_types import Call, GrpcApplication, Method, Service
from ...transport.types import Application, Head, Request, Response
from ..errors import error_body, http_status
from .tokens import Tokens

_AUTHORIZATION = "authorization"
_PROBES = frozenset({"/healthz", "/readyz"})
_READING = frozenset({"GET", "HEAD"})
# A browser asks by OPTIONS whether it may send a token, and sends none with it.
_PREFLIGHT = "OPTIONS"
_NO_BODY = 0
_NO_TOKEN = "A token is needed: send it as `Authorization: Bearer TOKEN`"  # noqa: S105  it is none
_WRONG_TOKEN = "The token is not one of this server's"  # noqa: S105  it is none
# What a browser has to hear of a refusal, and to be allowed, where other sites' pages may ask.
_CORS = {"Access-Control-Allow-Origin": "*"}
_CORS_WITH_TOKEN = {"Access-Control-Allow-Headers": "Authorization, Content-Type"}


class AuthorizedHttp:
    """Hands on the requests that show a token (an Application); others are answered 401.

    With `cors`, pages of other sites may send one: TensorFlow Serving's own CORS headers, which the
    face behind sets, allow none.
    """

    def __init__(self, tokens: Tokens, behind: Application, *, cors: bool = False) -> None:
        self._tokens = tokens
        self._behind = behind
        self._refusal_headers = _CORS if cors else {}
        self._preflight_headers = _CORS_WITH_TOKEN if cors else {}

    def body_limit(self, head: Head) -> int | None:
        """Take the bodies of the face behind as that face does; without a token none is read."""
        if head.method == _PREFLIGHT:
            return _NO_BODY
        return self._behind.body_limit(head) if self._is_allowed(head) else None

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Hand a request on, or refuse it before its body is read."""
        head = request.head
        # The file may change in between: then the body was not taken as the face behind wants it.
        was_refused = request.stream is not None and self._behind.body_limit(head) is not None
        if was_refused or not self._is_allowed(head):
            return self._refuse(head)
        answer = self._behind.handle(request)
        if head.method == _PREFLIGHT and isinstance(answer, Response):
            return replace(answer, headers={**answer.headers, **self._preflight_headers})
        return answer

    def _is_allowed(self, head: Head) -> bool:
        is_probe = head.method in _READING and head.target in _PROBES
        if is_probe or head.method == _PREFLIGHT:
            return True
        return self._tokens.allow(head.headers.get(_AUTHORIZATION))

    def _refuse(self, head: Head) -> Response:
        """Answer 401 with a challenge (RFC 6750 3: an error code only where a token was shown)."""
        has_shown = _AUTHORIZATION in head.headers
        challenge = 'Bearer error="invalid_token"' if has_shown else "Bearer"
        return Response(
            http_status(Code.UNAUTHENTICATED),
            error_body(_WRONG_TOKEN if has_shown else _NO_TOKEN),
            "application/json",
            {"WWW-Authenticate": challenge, **self._refusal_headers},
        )


class AuthorizedGrpc:
    """Serves the methods of another application to calls that show a token (a GrpcApplication).

    Others are UNAUTHENTICATED before their message is decoded.
    """

    def __init__(self, tokens: Tokens, behind: GrpcApplication) -> None:
        self._tokens = tokens
        self._behind = behind

    def services(self) -> Sequence[Service]:
        """Return the services of the application behind."""
        return [self._guarded(service) for service in self._behind.services()]

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
        """Refuse a call without a token (an `Admit`, for what the transport answers itself too)."""
        shown = [str(value) for key, value in call.metadata if key == _AUTHORIZATION]
        # Of several, as HTTP joins them, none is right.
        if not self._tokens.allow(", ".join(shown)):
            raise StatusError(Code.UNAUTHENTICATED, _WRONG_TOKEN if shown else _NO_TOKEN)
