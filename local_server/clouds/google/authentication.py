"""Credentials of Google's APIs, checked with `--auth strict`.

Valid are the tokens of the emulator's own token endpoint, and tokens that the offline service
account signed itself, which Google's gRPC clients send (AIP-4111). The texts are those of users'
reports (GoogleCloudPlatform/generative-ai#454, GoogleCloudPlatform/active-assist#18).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ...status import Code
from ...transport.types import Head, Request, Response
from ..router import App
from .common.errors import ApiError, error_response
from .service_account import EMAIL

SECONDS: Final = 3600
"""How long a token is valid."""
_TOKEN = re.compile(r"ya29\.offline-(?P<signed>(?P<expires>[0-9]{1,12})-\w+)-(?P<mac>[0-9a-f]{64})")
_BEARER = re.compile(r"bearer +([^ ]+)", re.IGNORECASE)
_REALM: Final = 'Bearer realm="https://accounts.google.com/"'
_EXPECTED: Final = (
    " Expected OAuth 2 access token, login cookie or other valid authentication credential. See"
    " https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_MISSING: Final = f"Request is missing required authentication credential.{_EXPECTED}"
_INVALID: Final = f"Request had invalid authentication credentials.{_EXPECTED}"


class Tokens:
    """The bearer tokens of the offline service account; they survive a restart of the emulator."""

    def __init__(self, account: Path, now: Callable[[], float] = time.time) -> None:
        """Take the service account's file, which is read when it is needed."""
        self._account = account
        self._now = now

    def issue(self, seconds: int = SECONDS) -> str:
        """Return a new token that is valid for so long."""
        signed = f"{int(self._now()) + seconds}-{secrets.token_hex(16)}"
        return f"ya29.offline-{signed}-{self._mac(signed)}"

    def is_valid(self, token: str) -> bool:
        """Return whether a token was issued here or signed by the account, and has not expired."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return self.is_signed(token)
        is_genuine = hmac.compare_digest(match["mac"], self._mac(match["signed"]))
        return is_genuine and int(match["expires"]) > self._now()

    def is_signed(self, token: str) -> bool:
        """Return whether a JSON Web Token is of the service account and has not expired."""
        from google.auth import jwt
        from google.auth.exceptions import GoogleAuthError

        decode: Callable[..., Any] = jwt.decode
        try:
            claims = decode(token, certs=self._public_key, clock_skew_in_seconds=10)
        except (GoogleAuthError, ValueError, RecursionError):
            return False
        return bool(claims.get("iss") == EMAIL)

    def _mac(self, signed: str) -> str:
        return hmac.new(self._private_key, signed.encode(), hashlib.sha256).hexdigest()

    @cached_property
    def _private_key(self) -> bytes:
        account = json.loads(self._account.read_bytes())
        return str(account["private_key"]).encode()

    @cached_property
    def _public_key(self) -> bytes:
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(self._private_key, None)
        return key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


class Authenticated:
    """Passes on requests with a valid token (an App); others are refused as Google refuses them."""

    def __init__(self, app: App, tokens: Tokens, service: str) -> None:
        """Take the application of a service, such as `aiplatform`."""
        self._app = app
        self._tokens = tokens
        self._service = f"{service}.googleapis.com"

    def body_limit(self, head: Head) -> int | None:
        """Return the application's limit."""
        return self._app.body_limit(head)

    async def handle(self, request: Request) -> Response:
        """Pass a request on, or refuse it."""
        header = request.head.headers.get("authorization", "")
        match = _BEARER.fullmatch(header)
        if match is None:
            return missing_credentials(self._service)
        if not self._tokens.is_valid(match[1]):
            realm = f'{_REALM}, error="invalid_token"'
            return _refused(self._service, _INVALID, "ACCESS_TOKEN_TYPE_UNSUPPORTED", realm)
        return await self._app.handle(request)

    def failed(self, head: Head) -> Response:
        """Return the application's internal error."""
        return self._app.failed(head)


def has_token(head: Head) -> bool:
    """Return whether a request has a bearer token, valid or not."""
    return _BEARER.fullmatch(head.headers.get("authorization", "")) is not None


def missing_credentials(host: str) -> Response:
    """Return the response of a service to a request without a token; `host` is its global host."""
    return _refused(host, _MISSING, "CREDENTIALS_MISSING", _REALM)


def _refused(host: str, message: str, reason: str, realm: str) -> Response:
    error = ApiError(Code.UNAUTHENTICATED, message)
    error.details = (
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": {"service": host},
        },
    )
    return replace(error_response(error), headers={"WWW-Authenticate": realm})
