"""Faces that answer only to known keys (`--auth strict`): a check in front of each service.

What a service says to a wrong signature depends on its protocol: the texts are those of the
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
from .sigv4 import SignatureError, Verifier, Wrong

logger = logging.getLogger(__name__)

_MOST_HASHED = 16 * 1024 * 1024
"""Above the body limit of every service whose signature covers the body."""
_NO_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS"
    " Secret Access Key and signing method. Consult the service documentation for details."
)
_BAD_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a text
_KINDS = {
    Wrong.MISSING: ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    Wrong.INCOMPLETE: ("IncompleteSignatureException", ""),
    Wrong.UNKNOWN_KEY: ("UnrecognizedClientException", _BAD_TOKEN),
    Wrong.EXPIRED: ("InvalidSignatureException", ""),
    Wrong.SKEWED: ("InvalidSignatureException", ""),
    Wrong.SCOPE: ("InvalidSignatureException", ""),
    Wrong.MISMATCH: ("InvalidSignatureException", _NO_MATCH),
}
_QUERY_KINDS = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
}
_S3_KINDS = {
    Wrong.MISSING: ("AccessDenied", "Access Denied"),
    Wrong.INCOMPLETE: ("AuthorizationHeaderMalformed", ""),
    Wrong.UNKNOWN_KEY: (
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Wrong.EXPIRED: ("AccessDenied", ""),
    Wrong.SKEWED: (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    Wrong.SCOPE: ("AuthorizationHeaderMalformed", ""),
    Wrong.MISMATCH: (
        "SignatureDoesNotMatch",
        (
            "The request signature we calculated does not match the signature you provided. Check"
            " your key and signing method."
        ),
    ),
}
_MALFORMED = {"AuthorizationHeaderMalformed"}


class Refusing(App, Protocol):
    """A face that renders an error of its protocol."""

    def refused(self, error: AwsError) -> Response:
        """Answer a request that was refused before it came to the face."""
        ...


Refuse = Callable[[Head, SignatureError], Response]


class Signed:
    """A face behind a check of signatures."""

    def __init__(self, face: App, service: str, verifier: Verifier, refuse: Refuse) -> None:
        self._face = face
        self._service = service
        self._verifier = verifier
        self._refuse = refuse

    def body_limit(self, head: Head) -> int | None:
        """Take bodies as the face does."""
        return self._face.body_limit(head)

    async def handle(self, request: Request) -> Response:
        """Answer a request that is signed, refuse any other."""
        head = request.head
        try:
            if self._service == "s3":
                # Its head carries the hash of the body, which the face verifies as it comes.
                self._verifier.verify(head, self._service, None)
                return await self._face.handle(request)
            body = await collect(request, _MOST_HASHED)
            self._verifier.verify(head, self._service, body)
            return await self._face.handle(Request(head, body))
        except SignatureError as error:
            logger.info("%s %s is refused: %s", head.method, head.path, error.wrong.name)
            return self._refuse(head, error)

    def failed(self, head: Head) -> Response:
        """Answer a request that broke down, as the face does."""
        return self._face.failed(head)


def refuse_through(face: Refusing) -> Refuse:
    """Return how a face of a JSON protocol refuses a signature."""
    return lambda _, error: face.refused(_error(error))


def refuse_query(namespace: str) -> Refuse:
    """Return how a service of the query protocol refuses a signature."""

    def refuse(_: Head, error: SignatureError) -> Response:
        said = _error(error)
        kind = _QUERY_KINDS[said.kind]
        return xml_error(AwsError(kind, said.message, HTTPStatus.FORBIDDEN), namespace)

    return refuse


def _error(error: SignatureError) -> AwsError:
    kind, text = _KINDS[error.wrong]
    is_malformed = error.wrong is Wrong.INCOMPLETE
    status = HTTPStatus.BAD_REQUEST if is_malformed else HTTPStatus.FORBIDDEN
    return AwsError(kind, text or error.message, status)


def refuse_s3(head: Head, error: SignatureError) -> Response:
    """Refuse a signature as S3 does."""
    code, text = _S3_KINDS[error.wrong]
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
