"""Signature check in front of each service (`--auth strict`).

The error for an invalid signature depends on the service's protocol; the texts are those of the
services (AWS "Common error types"; S3 API reference, "Error responses").
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Protocol

from ....transport.types import Head, Request, Response
from ...bodies import collect
from ...objects.s3.errors import XML
from ...objects.xml import document, element
from ...router import App
from .errors import AwsError, xml_error
from .sigv4 import Reason, SignatureError, Verifier

logger = logging.getLogger(__name__)

_MOST_HASHED = 16 * 1024 * 1024
"""Above the body limit of every service whose signature covers the body."""
_NO_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS"
    " Secret Access Key and signing method. Consult the service documentation for details."
)
_BAD_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a text
_KINDS = {
    Reason.MISSING: ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    Reason.INCOMPLETE: ("IncompleteSignatureException", ""),
    Reason.UNKNOWN_KEY: ("UnrecognizedClientException", _BAD_TOKEN),
    Reason.EXPIRED: ("InvalidSignatureException", ""),
    Reason.SKEWED: ("InvalidSignatureException", ""),
    Reason.SCOPE: ("InvalidSignatureException", ""),
    Reason.MISMATCH: ("InvalidSignatureException", _NO_MATCH),
}
_QUERY_KINDS = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
}
_S3_KINDS = {
    Reason.MISSING: ("AccessDenied", "Access Denied"),
    Reason.INCOMPLETE: ("AuthorizationHeaderMalformed", ""),
    Reason.UNKNOWN_KEY: (
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Reason.EXPIRED: ("AccessDenied", ""),
    Reason.SKEWED: (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    Reason.SCOPE: ("AuthorizationHeaderMalformed", ""),
    Reason.MISMATCH: (
        "SignatureDoesNotMatch",
        (
            "The request signature we calculated does not match the signature you provided. Check"
            " your key and signing method."
        ),
    ),
}
_MALFORMED = {"AuthorizationHeaderMalformed"}


class RefusingApp(App, Protocol):
    """A app that renders an error of its protocol."""

    def refused(self, error: AwsError) -> Response:
        """Render an error raised in front of the app."""
        ...


Refuse = Callable[[Head, SignatureError], Response]


class SignatureCheck:
    """A app behind a check of signatures."""

    def __init__(self, app: App, service: str, verifier: Verifier, refuse: Refuse) -> None:
        self._app = app
        self._service = service
        self._verifier = verifier
        self._refuse = refuse

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies as the app does."""
        return self._app.body_limit(head)

    async def handle(self, request: Request) -> Response:
        """Pass a signed request on; answer any other with an error."""
        head = request.head
        try:
            if self._service == "s3":
                # The head carries the body's hash; the app verifies as it comes.
                self._verifier.verify(head, self._service, None)
                return await self._app.handle(request)
            body = await collect(request, _MOST_HASHED)
            self._verifier.verify(head, self._service, body)
            return await self._app.handle(Request(head, body))
        except SignatureError as error:
            logger.info("%s %s is refused: %s", head.method, head.path, error.reason.name)
            return self._refuse(head, error)

    def failed(self, head: Head) -> Response:
        """Render an internal error as the app does."""
        return self._app.failed(head)


def refuse_through(app: RefusingApp) -> Refuse:
    """Return how a app of a JSON protocol refuses a signature."""
    return lambda _, error: app.refused(_error(error))


def refuse_query(namespace: str) -> Refuse:
    """Return how a service of the query protocol refuses a signature."""

    def refuse(_: Head, error: SignatureError) -> Response:
        translated = _error(error)
        kind = _QUERY_KINDS[translated.kind]
        return xml_error(AwsError(kind, translated.message, HTTPStatus.FORBIDDEN), namespace)

    return refuse


def _error(error: SignatureError) -> AwsError:
    kind, text = _KINDS[error.reason]
    is_malformed = error.reason is Reason.INCOMPLETE
    status = HTTPStatus.BAD_REQUEST if is_malformed else HTTPStatus.FORBIDDEN
    return AwsError(kind, text or error.message, status)


def refuse_s3(head: Head, error: SignatureError) -> Response:
    """Render a signature error as S3 does."""
    code, text = _S3_KINDS[error.reason]
    status = HTTPStatus.BAD_REQUEST if code in _MALFORMED else HTTPStatus.FORBIDDEN
    request_id = uuid.uuid4().hex[:16].upper()
    parts: Mapping[str, str] = {
        "Code": code,
        "Message": text or error.message,
        "Resource": head.path,
        "RequestId": request_id,
    }
    body = document("Error", *(element(*part) for part in parts.items()), namespace=False)
    headers = {"x-amz-request-id": request_id}
    return Response(status, b"" if head.method == "HEAD" else body, XML, headers)
