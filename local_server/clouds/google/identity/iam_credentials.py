"""IAM Service Account Credentials (iamcredentials v1): access tokens of another service account.

Sources: discovery document of iamcredentials v1, which requires `-` as the project; the refusal of
google-github-actions/auth#340. Any service account exists offline; its own permissions are those of
every caller. Identity tokens and signatures are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ....status import Code
from ....transport.types import Head, Response
from ...offers import Offers, offers
from ...resources import Document
from ..authentication import SECONDS, Tokens
from ..common.app import GoogleApp, handler_of, read_body
from ..common.discovery import Call, load
from ..common.errors import ApiError, json_response
from ..common.permissions import IMPERSONATE, Denied

_PATH = re.compile(r"/v1/projects/[^/]+/serviceAccounts(?:[/:].*)?")
_ACCOUNT = re.compile(r"projects/([^/]+)/serviceAccounts/([^/]+)")
_EMAIL = re.compile(r"[^@\s]+@[\w.-]+\.gserviceaccount\.com|\d+", re.ASCII)
_DURATION = re.compile(r"(\d{1,9})(?:\.\d{1,9})?s", re.ASCII)
Handler = Callable[[str, Document], Document]


def is_iam_credentials(head: Head) -> bool:
    """Return whether a request is about a service account."""
    return _PATH.fullmatch(head.path) is not None


class DeniedTokenError(ApiError):
    """The caller may not impersonate the service account, which the answer does not name."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            f"Permission '{IMPERSONATE}' denied on resource (or it may not exist).",
        )
        self.details = (
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "iam.googleapis.com",
                "metadata": {"permission": IMPERSONATE},
            },
        )


class IamCredentials(GoogleApp):
    """The iamcredentials v1 application."""

    def __init__(
        self, tokens: Tokens, now: Callable[[], float], denied: Denied | None = None
    ) -> None:
        self._tokens = tokens
        self._api = load("iamcredentials", "v1")
        self._now = now
        self._denied = denied or Denied()
        self._handlers: Mapping[str, Handler] = {
            "iamcredentials.projects.serviceAccounts.generateAccessToken": self.generate,
        }

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("iamcredentials", self._handlers)

    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request by its method."""
        call = self._api.match(head.method, head.path, head.query)
        handler = handler_of(self._handlers, call)
        return json_response(handler(_account(call), read_body(self._api, call, body)))

    def generate(self, email: str, body: Document) -> Document:
        """Return an access token of a service account; raises ApiError."""
        if self._denied.covers(IMPERSONATE):
            raise DeniedTokenError
        if not body.get("scope"):
            raise _invalid("Scope required.")
        for delegate in body.get("delegates", ()):
            _email(delegate)
        if not _EMAIL.fullmatch(email):
            raise ApiError(Code.NOT_FOUND, f"Not found; Gaia id not found for email {email}")
        seconds = _seconds(body.get("lifetime", f"{SECONDS}s"))
        if seconds > SECONDS:
            raise _invalid(f"The access token lifetime cannot exceed {SECONDS} seconds.")
        expiry = datetime.fromtimestamp(self._now() + seconds, UTC)
        return {
            "accessToken": self._tokens.issue(seconds),
            "expireTime": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def _account(call: Call) -> str:
    return _email(next(iter(call.path.values())))


def _email(name: str) -> str:
    """Return the email address in the name of a service account; raises ApiError."""
    match = _ACCOUNT.fullmatch(name)
    if match is None or match[1] != "-":
        raise _invalid(
            f'"{name}" is not the name of a service account: projects/-/serviceAccounts/EMAIL.'
        )
    return match[2]


def _seconds(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    if match is None or int(match[1]) == 0:
        raise _invalid(f'"{duration}" is not a duration: seconds such as "3600s" are expected.')
    return int(match[1])


def _invalid(message: str) -> ApiError:
    return ApiError(Code.INVALID_ARGUMENT, message)
