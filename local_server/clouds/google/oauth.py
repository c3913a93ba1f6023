"""OAuth 2.0's token endpoint for google-auth's service accounts (RFC 7523).

Tokens are never logged. They, and the signatures of assertions, are checked with `--auth strict`.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from urllib.parse import parse_qs

from ...transport.types import BodyTooLargeError, Head, Request, Response
from ..bodies import collect, collect_limit
from ..objects.addressing import is_gcs_host
from .authentication import SECONDS, Tokens
from .common.errors import JSON

_LIMIT = 64 * 1024
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)

_PATHS = frozenset({"/token", "/oauth2/v4/token"})
"""The paths on oauth2.googleapis.com, and on www.googleapis.com, which Node's clients call."""


def is_token(head: Head) -> bool:
    """Return whether a request is for the token endpoint, and not for a bucket of this name."""
    return head.path in _PATHS and not is_gcs_host(head.headers.get("host", ""))


class OAuth:
    """The application of the token endpoint; `checks` says whether signatures are verified."""

    def __init__(self, tokens: Tokens, *, checks: bool = False) -> None:
        self._tokens = tokens
        self._checks = checks

    def body_limit(self, head: Head) -> int | None:
        """Buffer the small forms."""
        return collect_limit(head, _LIMIT)

    async def handle(self, request: Request) -> Response:
        """Issue a bearer token for a signed assertion; errors follow RFC 6749 5.2."""
        try:
            body = await collect(request, _LIMIT)
        except BodyTooLargeError:
            return _error("invalid_request", "The request is too large.")
        if request.head.method != "POST":
            return _error("invalid_request", "The token endpoint takes POST requests.")
        form = parse_qs(body.decode("utf-8", "replace"))
        return self._token(form.get("grant_type", [""])[0], form.get("assertion", [""])[0])

    def _token(self, grant: str, assertion: str) -> Response:
        if not grant:
            return _error("invalid_request", "Missing required parameter: grant_type")
        if grant != _JWT_BEARER:
            return _error("unsupported_grant_type", f"Invalid grant_type: {grant}")
        if not assertion:
            return _error("invalid_request", "Missing required parameter: assertion")
        if not _JWT.fullmatch(assertion):
            return _error("invalid_grant", "Invalid JWT: the assertion is not a signed token.")
        if self._checks and not self._tokens.is_signed(assertion):
            # Google's text (googleapis/google-cloud-python#10004), also for one that has expired.
            return _error("invalid_grant", "Invalid JWT Signature.")
        token = self._tokens.issue()
        answer = {"access_token": token, "expires_in": SECONDS, "token_type": "Bearer"}
        return Response(HTTPStatus.OK, json.dumps(answer).encode(), JSON)

    def failed(self, _: Head) -> Response:
        """Return the response to a request that failed for a reason of this server."""
        text = "The token endpoint has failed."
        return _error("server_error", text, HTTPStatus.INTERNAL_SERVER_ERROR)


def _error(code: str, description: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Response:
    body = json.dumps({"error": code, "error_description": description})
    return Response(status, body.encode(), JSON)
