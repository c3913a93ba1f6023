"""Google's Security Token Service: an external identity's token for an access token.

Workload identity federation of google-auth (`external_account`). Sources: discovery document of sts
v1, `token`; the errors of google-github-actions/auth#60 and #334. The signature, the issuer and the
allowed audiences of a token are not checked: there is no provider here that has them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...offers import Offers, offers
from ..authentication import SECONDS, Tokens
from ..common.errors import JSON

PATH = "/v1/token"
_LIMIT = 4 * 1024 * 1024 + 64 * 1024
"""Bytes of a request; its options may have 4 MiB."""
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPES = "urn:ietf:params:oauth:token-type:"
_ACCESS = f"{_TYPES}access_token"
_JWTS = frozenset({f"{_TYPES}jwt", f"{_TYPES}id_token"})
_POOL = r"[a-z][a-z0-9-]{2,30}[a-z0-9]/providers/[a-z][a-z0-9-]{2,30}[a-z0-9]"
_AUDIENCE = re.compile(
    rf"//iam\.googleapis\.com/(?:projects/\d+/locations/global/workloadIdentityPools/{_POOL}"
    rf"|locations/[a-z0-9-]+/workforcePools/{_POOL})"
)
_CLAIMS = ("iss", "sub", "aud", "iat", "exp")
_ALGORITHMS = frozenset({"RS256", "ES256"})


def is_token_exchange(head: Head) -> bool:
    """Return whether a request is for the token exchange."""
    return head.path == PATH


class ExchangeError(Exception):
    """A refused exchange, with an error code of RFC 6749 or RFC 8693."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class TokenExchange:
    """The application of `sts.googleapis.com`."""

    def __init__(self, tokens: Tokens, now: Callable[[], float]) -> None:
        self._tokens = tokens
        self._now = now

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("sts.googleapis.com", ("token",))

    def body_limit(self, head: Head) -> int | None:
        """Buffer the forms."""
        return collect_limit(head, _LIMIT)

    async def handle(self, request: Request) -> Response:
        """Exchange a token; errors follow RFC 6749 5.2."""
        try:
            body = await collect(request, _LIMIT)
            self._check(request.head.method, _fields(request.head, body))
        except BodyTooLargeError:
            return _error("invalid_request", "The request is too large.")
        except ExchangeError as error:
            return _error(error.code, error.description)
        answer = {
            "access_token": self._tokens.issue(),
            "issued_token_type": _ACCESS,
            "token_type": "Bearer",
            "expires_in": SECONDS,
        }
        return Response(HTTPStatus.OK, json.dumps(answer).encode(), JSON)

    def failed(self, _: Head) -> Response:
        """Return the response to a request that failed for a reason of this server."""
        text = "The token endpoint has failed."
        return _error("server_error", text, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _check(self, method: str, fields: Mapping[str, str]) -> None:
        if method != "POST":
            raise ExchangeError("invalid_request", "The token endpoint takes POST requests.")
        for name in ("grant_type", "requested_token_type", "subject_token", "subject_token_type"):
            if not fields.get(name):
                raise ExchangeError("invalid_request", f"Missing required parameter: {name}")
        if fields["grant_type"] != _GRANT:
            text = f"Invalid grant_type: {fields['grant_type']}"
            raise ExchangeError("unsupported_grant_type", text)
        if not _AUDIENCE.fullmatch(fields.get("audience", "")):
            raise ExchangeError(
                "invalid_request",
                'Invalid value for "audience". This value should be the full resource name of the'
                " Identity Provider. See"
                " https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the"
                " list of possible formats.",
            )
        if not fields.get("scope"):
            raise ExchangeError("invalid_request", "Missing required parameter: scope")
        if fields["requested_token_type"] != _ACCESS:
            text = f"The token type {fields['requested_token_type']} is not available offline."
            raise ExchangeError("invalid_request", text)
        kind = fields["subject_token_type"]
        if kind not in _JWTS:
            text = f"Subject tokens of type {kind} are not available offline."
            raise ExchangeError("invalid_request", text)
        self._check_token(fields["subject_token"])

    def _check_token(self, token: str) -> None:
        """Raise ExchangeError for a token without the needed fields, or one that has expired."""
        head, claims = _decoded(token)
        if head.get("alg") not in _ALGORITHMS or not head.get("kid"):
            raise _bad_token("its header must have `kid`, and RS256 or ES256 as `alg`")
        missing = [name for name in _CLAIMS if not claims.get(name)]
        if missing:
            raise _bad_token(f"it has no {', '.join(missing)}")
        expiry = claims["exp"]
        if not isinstance(expiry, int | float) or not expiry > self._now():
            text = f"ID Token issued at {claims['iat']} is stale to sign-in."
            raise ExchangeError("invalid_grant", text)


def _fields(head: Head, body: bytes) -> dict[str, str]:
    """Return the parameters of a form, or of a JSON object with Google's names of them."""
    kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            given = _object(body)
        except _NotAnObjectError as error:
            raise ExchangeError("invalid_request", f"The request is invalid: {error}.") from error
        snake = {re.sub(r"(?<=[a-z])([A-Z])", r"_\1", k).lower(): v for k, v in given.items()}
        return {name: value for name, value in snake.items() if isinstance(value, str)}
    form = parse_qs(body.decode("utf-8", "replace"))
    return {name: values[0] for name, values in form.items()}


def _decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a JWT; raises ExchangeError."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 header, claims, signature
        raise _bad_token("it does not have three parts")
    head, claims, _ = parts
    try:
        return _object(_unpadded(head)), _object(_unpadded(claims))
    except _NotAnObjectError as error:
        raise _bad_token(str(error)) from error


def _unpadded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise _bad_token("its parts are not base64url") from error


class _NotAnObjectError(Exception):
    """A text that is not a JSON object, and why."""


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _NotAnObjectError("it is not JSON") from error
    if not isinstance(value, dict):
        raise _NotAnObjectError("it is not a JSON object")
    return value


def _bad_token(reason: str) -> ExchangeError:
    return ExchangeError("invalid_grant", f"The subject token is not a valid ID Token: {reason}.")


def _error(code: str, description: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Response:
    body = json.dumps({"error": code, "error_description": description})
    return Response(status, body.encode(), JSON)
