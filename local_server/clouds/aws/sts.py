"""STS: GetCallerIdentity. The offline account has one caller."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from urllib.parse import parse_qs

from ...transport.types import BodyTooLargeError, Head, Request, Response
from ..bodies import collect, collect_limit
from .protocol.arns import ACCOUNT
from .protocol.errors import AwsError, xml_error

_LIMIT = 64 * 1024
XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"


class StsApp:
    """The STS app (query protocol: a form in, XML out)."""

    def body_limit(self, head: Head) -> int | None:
        """Collect the small forms that STS accepts."""
        return collect_limit(head, _LIMIT)

    async def handle(self, request: Request) -> Response:
        """Answer GetCallerIdentity; any other action is an InvalidAction error."""
        try:
            body = await collect(request, _LIMIT)
        except BodyTooLargeError:
            return _error("ValidationError", "The request is too large.")
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        if action == "GetCallerIdentity":
            return _identity()
        return _error("InvalidAction", f"The action {action} is not available offline.")

    def failed(self, _: Head) -> Response:
        """Render an internal error."""
        return xml_error(AwsError.internal(), XMLNS)


def _identity() -> Response:
    body = (
        f'<GetCallerIdentityResponse xmlns="{XMLNS}"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{ACCOUNT}:user/cloudserve</Arn><UserId>CLOUDSERVE</UserId>"
        f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    )
    return Response(HTTPStatus.OK, body.encode(), "text/xml")


def _error(code: str, message: str) -> Response:
    return xml_error(AwsError(code, message), XMLNS)
