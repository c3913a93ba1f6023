"""AWS services that are not offered offline: refused so that their own clients can read it."""

from __future__ import annotations

from ....transport.types import Head, Request, Response
from .arns import scope
from .errors import AwsError, json_error, xml_error

_TARGET = "x-amz-target"


def is_aws(head: Head) -> bool:
    """Say whether a request is for AWS at all: signed for it, or with a target of JSON 1.x."""
    return _TARGET in head.headers or scope(head) is not None


class Elsewhere:
    """The face of every service that has none."""

    def body_limit(self, _: Head) -> int | None:
        """Collect nothing: no body is looked at."""
        return None

    async def handle(self, request: Request) -> Response:
        """Refuse the request."""
        head = request.head
        found = scope(head)
        service = found.service if found else head.headers[_TARGET].partition(".")[0]
        message = f"{service} is not available offline: {head.method} {head.path}."
        return _render(head, AwsError("UnsupportedOperationException", message))

    def failed(self, head: Head) -> Response:
        """Answer a request that broke down here."""
        return _render(head, AwsError.internal())


def _render(head: Head, error: AwsError) -> Response:
    """Answer JSON 1.x in its form, the query, REST-XML and REST-JSON protocols in XML.

    REST-JSON's clients read the error's type from its header.
    """
    return json_error(error) if _TARGET in head.headers else xml_error(error)
