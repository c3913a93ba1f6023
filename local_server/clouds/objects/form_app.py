"""Forms that upload a file to S3 or Cloud Storage: the fields tell for which of them a form is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...transport.types import Head, Request, Response
from .forms.decoder import Form, FormError, read_form
from .http_util import chunks
from .s3.app import S3App
from .s3.callers.posted import malformed
from .s3.errors import render

FORM = "multipart/form-data"
_GOOGLE = ("x-goog-", "googleaccessid")

Handle = Callable[[Request, Form], Awaitable[Response]]


def is_form(head: Head) -> bool:
    """Return whether a request is a form for a bucket, in its path or its host."""
    is_upload = head.headers.get("content-type", "").lower().startswith(FORM)
    return is_upload and head.method == "POST" and "/" not in head.path.strip("/")


class FormApp:
    """The application for forms."""

    def __init__(self, s3: Handle, gcs: Handle) -> None:
        self._s3 = s3
        self._gcs = gcs

    def body_limit(self, _: Head) -> int | None:
        """Return None: files are streamed to disk."""
        return None

    async def handle(self, request: Request) -> Response:
        """Answer a form; raises ClientGoneError."""
        head = request.head
        try:
            form = await read_form(chunks(request), head.headers["content-type"])
        except FormError as error:
            return render(malformed(error), head.path, "", empty=False)
        is_google = any(name.startswith(_GOOGLE) for name in form.fields)
        return await (self._gcs if is_google else self._s3)(request, form)

    @staticmethod
    def failed(head: Head) -> Response:
        """Return the response to a form that failed for a reason of this server."""
        return S3App.failed(head)
