"""Errors for AWS services that are not available offline, in a form their clients can read."""

from __future__ import annotations

from ....transport.types import Head, Request, Response
from .arns import scope
from .errors import AwsError, json_error, xml_error

_TARGET = "x-amz-target"


def is_aws(head: Head) -> bool:
    """Return whether a request is for AWS: signed for a service, or with a JSON 1.x target."""
    return _TARGET in head.headers or scope(head) is not None


class UnsupportedServicesApp:
    """The app of every unsupported service."""

    def body_limit(self, _: Head) -> int | None:
        """Collect nothing: the body is ignored."""
        return None

    async def handle(self, request: Request) -> Response:
        """Answer with UnsupportedOperationException."""
        head = request.head
        signed = scope(head)
        service = signed.service if signed else head.headers[_TARGET].partition(".")[0]
        message = f"{service} is not available offline: {head.method} {head.path}."
        return _render(head, AwsError("UnsupportedOperationException", message))

    def failed(self, head: Head) -> Response:
        """Render an internal error."""
        return _render(head, AwsError.internal())


def _render(head: Head, error: AwsError) -> Response:
    """Render for JSON 1.x in JSON, for the query, REST-XML and REST-JSON protocols in XML.

    REST-JSON clients read the error's type from a header.
    """
    return json_error(error) if _TARGET in head.headers else xml_error(error)
