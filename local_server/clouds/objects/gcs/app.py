"""The GCS application: the JSON API, and the XML API's multipart uploads.

A path of GCS that is missing here is refused in JSON; no response is HTML.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect_limit
from ...offers import Offers, offers
from ..forms.decoder import Form
from ..http_util import SMALL_BODY, UndecodableError, decode, query_of, small_body
from ..store.errors import FULL, ObjectStoreError, StoreFullError
from ..store.store import ObjectStore
from . import batch, buckets, objects
from .callers import iam, posted
from .callers.permissions import (
    Denies,
    check_method,
    check_somebody,
    check_xml,
    test_permissions,
)
from .callers.signed_urls import Verify, check_url, is_signed_url, trusting
from .errors import GcsError, from_store, invalid, not_implemented, render
from .fields import XML_METHOD, check_head
from .request import GcsCall, is_of_cloud
from .uploads.api import upload
from .xml.api import answer as answer_xml
from .xml.errors import XmlError
from .xml.errors import render as render_xml

logger = logging.getLogger(__name__)

LONG = "The request's body is too large."
Run = Callable[[GcsCall], Response]

BUCKET = "/storage/v1/b/([^/]+)"
OBJECT = f"{BUCKET}/o/([^/]+)"

ROUTES: tuple[tuple[str, re.Pattern[str], str, Run], ...] = tuple(
    (method, re.compile(pattern), name, run)
    for method, pattern, name, run in (
        ("GET", "/storage/v1/b", "buckets.list", buckets.list_buckets),
        ("POST", "/storage/v1/b", "buckets.insert", buckets.insert),
        ("GET", BUCKET, "buckets.get", buckets.get),
        ("PATCH", BUCKET, "buckets.patch", buckets.patch),
        ("PUT", BUCKET, "buckets.update", buckets.update),
        ("DELETE", BUCKET, "buckets.delete", buckets.delete),
        ("GET", f"{BUCKET}/o", "objects.list", buckets.list_objects),
        ("GET", OBJECT, "objects.get", objects.get),
        ("GET", f"/download{OBJECT}", "objects.get", objects.get),
        ("PATCH", OBJECT, "objects.patch", objects.patch),
        ("PUT", OBJECT, "objects.update", objects.update),
        ("DELETE", OBJECT, "objects.delete", objects.delete),
        ("POST", f"{OBJECT}/moveTo/o/([^/]+)", "objects.move", objects.move),
        ("POST", f"{OBJECT}/restore", "objects.restore", objects.restore),
        ("GET", f"{BUCKET}/iam", "buckets.getIamPolicy", iam.get_policy),
        ("PUT", f"{BUCKET}/iam", "buckets.setIamPolicy", iam.set_policy),
        ("GET", f"{BUCKET}/storageLayout", "buckets.getStorageLayout", buckets.storage_layout),
        ("POST", f"{OBJECT}/compose", "objects.compose", objects.compose),
        ("POST", f"{OBJECT}/rewriteTo/b/([^/]+)/o/([^/]+)", "objects.rewrite", objects.rewrite),
        ("POST", f"{OBJECT}/copyTo/b/([^/]+)/o/([^/]+)", "objects.copy", objects.copy),
    )
)
_METHODS = ("objects.insert", "buckets.testIamPermissions", *(name for _, _, name, _ in ROUTES))
BATCH = "/batch/storage/v1"
ANONYMOUS: Mapping[str, str] = {
    "DELETE": "storage.objects.delete",
    "GET": "storage.objects.get",
    "HEAD": "storage.objects.get",
}
TEST_PERMISSIONS = re.compile(f"{BUCKET}/iam/testPermissions")
UPLOAD = re.compile("/upload/storage/v1/b/([^/]+)/o")
JSON_API = re.compile(r"/(?:(?:upload|download|batch)/)?storage/v1(?:/|$)")


class GcsApp:
    """An `Application` for GCS requests; links in its responses use the host of the request."""

    def __init__(
        self,
        store: ObjectStore,
        project: str = "cloudserve-local",
        account: str = "",
        denies: Denies = lambda _: False,
        verify: Verify = trusting,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._project = project
        self._account = account
        self._denies = denies
        self._verify = verify
        self._now = now

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("storage", (f"storage.{name}" for name in _METHODS))

    def body_limit(self, head: Head) -> int | None:
        """Return None for uploads, so that an object is streamed to disk."""
        path = with_root(head).path
        streamed = UPLOAD.fullmatch(path) or not JSON_API.match(path)
        return None if streamed else collect_limit(head, SMALL_BODY)

    async def handle(self, request: Request) -> Response:
        """Answer one request; raises ClientGoneError."""
        rooted = replace(request, head=with_root(request.head))
        return await self._guarded(rooted, self._answer)

    async def _guarded(
        self, request: Request, run: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        try:
            return await run(request)
        except ObjectStoreError as error:
            return self._refuse(request, error)
        except OSError as error:
            if error.errno not in FULL:
                raise
            return self._refuse(request, StoreFullError(error))
        except UndecodableError as error:
            return self._refuse(request, invalid(str(error)))
        except BodyTooLargeError:
            return self._refuse(request, GcsError(413, "uploadTooLarge", LONG))

    async def _answer(self, request: Request) -> Response:
        head = request.head
        call = GcsCall(self._store, self._project, head, (), query_of(head))
        if head.path == BATCH:
            return await batch.answer(request, self.handle)
        uploading = UPLOAD.fullmatch(head.path)
        if uploading:
            call = replace(call, names=(decode(uploading[1]),))
            check_somebody(head, "objects.insert")
            check_head(head, call.query, "objects.insert")
            check_method(self._account, self._denies, "objects.insert")
            return await upload(call, request)
        if not JSON_API.match(head.path):
            self._check_caller(head)
            check_head(head, call.query, XML_METHOD)
            check_xml(self._account, self._denies, head, call.query)
            return await answer_xml(call, request)
        asking = TEST_PERMISSIONS.fullmatch(head.path)
        if asking and head.method == "GET":
            call = replace(call, names=(decode(asking[1]),))
            check_somebody(head, "buckets.testIamPermissions")
            return await asyncio.to_thread(test_permissions, call, self._denies)
        method, run, names = _route(head)
        check_somebody(head, method)
        check_head(head, call.query, method)
        check_method(self._account, self._denies, method)
        content = await small_body(request)
        return await asyncio.to_thread(run, replace(call, names=names, content=content))

    def _check_caller(self, head: Head) -> None:
        """Raise XmlError for a signed URL that is not valid, and for nobody's request."""
        if is_signed_url(head):
            check_url(head, self._verify, self._now())
        elif not _has_caller(head):
            permission = ANONYMOUS.get(head.method, "storage.objects.create")
            details = (
                f"Anonymous caller does not have {permission} access to the Google Cloud Storage"
                f" object. Permission '{permission}' denied on resource (or it may not exist)."
            )
            raise XmlError(403, "AccessDenied", "Access denied.", details)

    async def handle_form(self, request: Request, form: Form) -> Response:
        """Answer a form that uploads an object; raises ClientGoneError."""

        async def run(request: Request) -> Response:
            put = posted.as_put(request.head, form, self._verify, self._now())
            call = GcsCall(self._store, self._project, put.head, (), {})
            check_method(self._account, self._denies, "objects.insert")
            response = await answer_xml(call, put)
            return posted.answer(response, request.head, put, form)

        return await self._guarded(request, run)

    @staticmethod
    def failed(_: Head) -> Response:
        """Return the response to a request that failed for a reason of this server."""
        message = "We encountered an internal error. Please try again."
        return render(GcsError(500, "backendError", message))

    def _refuse(self, request: Request, error: ObjectStoreError) -> Response:
        translated, head = from_store(error), request.head
        logger.debug("GCS %s %s: %s", head.method, head.path, translated.reason)
        if JSON_API.match(head.path):
            return render(translated)
        return render_xml(error, empty=head.method == "HEAD")


def with_root(head: Head) -> Head:
    """Return a head with the JSON API's root in its path, if Node's client has left it out."""
    rootless = not is_of_cloud(head) and (head.path == "/b" or head.path.startswith("/b/"))
    return replace(head, path=f"/storage/v1{head.path}") if rootless else head


def _has_caller(head: Head) -> bool:
    """Return whether a request of the XML API is somebody's; a session's URL is a permission."""
    if "upload_id=" in head.query:
        return True
    signs = {"authorization"} if is_of_cloud(head) else {"authorization", "x-goog-api-client"}
    return bool(head.headers.keys() & signs)


def _route(head: Head) -> tuple[str, Run, tuple[str, ...]]:
    for method, pattern, name, run in ROUTES:
        match = pattern.fullmatch(head.path) if method == head.method else None
        if match:
            return name, run, tuple(decode(each) for each in match.groups())
    raise not_implemented(f"{head.method} {head.path}")
