"""The S3 application: path-style requests to the object store. Signatures are not checked.

An S3 operation that is missing here is refused in S3's own terms for an unimplemented feature.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect_limit
from ...offers import Offers, offers
from ..forms.decoder import Form
from ..http_util import SMALL_BODY, small_body
from ..store.errors import FULL, NoSuchKeyError, ObjectStoreError, StoreFullError
from ..store.store import ObjectStore
from . import attributes, buckets, copies, listing, objects, settings, tags, versions
from .callers import posted
from .callers.anonymous import UNCHECKED, Checks, check_lifetime, check_mechanism, check_signed
from .callers.permissions import check_missing, check_permissions
from .callers.posted import as_put
from .errors import DeletedError, S3Error, from_store, not_implemented, render
from .fields import check_fields
from .regions import check_region
from .request import Refusal, S3Call, never_refused, parse_request
from .uploads import completion, multipart
from .uploads.body import receive, verify_content

logger = logging.getLogger(__name__)

# fmt: off
SUBRESOURCES = frozenset((
    "abac", "accelerate", "acl", "analytics", "annotation", "append", "attributes", "cors",
    "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle",
    "list-type", "location", "logging", "metadataAnnotationTable", "metadataConfiguration",
    "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
    "notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus",
    "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore",
    "retention", "select", "select-type", "session", "tagging", "torrent", "uploadId",
    "uploads", "versionId", "versioning", "versions", "website"
))
# fmt: on
"""Query names that select an operation (the request URIs of botocore's service model)."""
_BARE = re.compile(r"(?:^|&)([A-Za-z-]+)(?=&|$)")
_MAY_BE_BARE = frozenset(("delimiter", "encoding-type", "key-marker", "marker", "prefix", "x-id"))
"""Parameters that some clients send without "=" if they are empty."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, by its name in botocore's service model.

    If there is a `before`, the body is an object's: `before` checks the head, then the body is
    stored.
    """

    name: str
    run: Callable[[S3Call], Response]
    before: Callable[[S3Call], None] | None = None


FAILED = "We encountered an internal error. Please try again."
LONG = "Your request was too large."

Answer = Callable[[Request], Awaitable[Response]]
Route = tuple[str, str, frozenset[str]]


def _key(level: str, method: str, *names: str) -> Route:
    return level, method, frozenset(names)


ROUTES: Mapping[Route, Operation] = {
    _key("service", "GET"): Operation("ListBuckets", buckets.list_buckets),
    _key("bucket", "PUT"): Operation("CreateBucket", buckets.create_bucket),
    _key("bucket", "HEAD"): Operation("HeadBucket", buckets.head_bucket),
    _key("bucket", "DELETE"): Operation("DeleteBucket", buckets.delete_bucket),
    _key("bucket", "GET", "location"): Operation("GetBucketLocation", buckets.get_location),
    _key("bucket", "GET"): Operation("ListObjects", listing.list_objects_v1),
    _key("bucket", "GET", "list-type"): Operation("ListObjectsV2", listing.list_objects_v2),
    _key("bucket", "GET", "uploads"): Operation("ListMultipartUploads", multipart.list_uploads),
    _key("bucket", "POST", "delete"): Operation("DeleteObjects", objects.delete_objects),
    _key("object", "GET"): Operation("GetObject", objects.get_object),
    _key("object", "HEAD"): Operation("HeadObject", objects.get_object),
    _key("object", "PUT"): Operation("PutObject", objects.put_object, objects.before_put),
    _key("object", "DELETE"): Operation("DeleteObject", objects.delete_object),
    _key("copy", "PUT"): Operation("CopyObject", copies.copy_object),
    _key("object", "POST", "uploads"): Operation("CreateMultipartUpload", multipart.create_upload),
    _key("object", "PUT", "uploadId", "partNumber"): Operation(
        "UploadPart", multipart.upload_part, multipart.before_part
    ),
    _key("copy", "PUT", "uploadId", "partNumber"): Operation(
        "UploadPartCopy", copies.upload_part_copy
    ),
    _key("object", "POST", "uploadId"): Operation(
        "CompleteMultipartUpload", completion.complete_upload
    ),
    _key("object", "DELETE", "uploadId"): Operation("AbortMultipartUpload", multipart.abort_upload),
    _key("object", "GET", "tagging"): Operation("GetObjectTagging", tags.get_tagging),
    _key("object", "PUT", "tagging"): Operation("PutObjectTagging", tags.put_tagging),
    _key("object", "DELETE", "tagging"): Operation("DeleteObjectTagging", tags.delete_tagging),
    _key("object", "GET", "uploadId"): Operation("ListParts", multipart.list_parts),
    _key("bucket", "GET", "versioning"): Operation("GetBucketVersioning", versions.get_versioning),
    _key("bucket", "PUT", "versioning"): Operation("PutBucketVersioning", versions.put_versioning),
    _key("bucket", "GET", "versions"): Operation("ListObjectVersions", versions.list_versions),
    _key("object", "GET", "attributes"): Operation(
        "GetObjectAttributes", attributes.get_attributes
    ),
    _key("object", "GET", "partNumber"): Operation("GetObject", objects.get_object),
    _key("object", "HEAD", "partNumber"): Operation("HeadObject", objects.get_object),
    _key("bucket", "GET", "acl"): Operation("GetBucketAcl", settings.get_bucket_acl),
    _key("object", "GET", "acl"): Operation("GetObjectAcl", settings.get_object_acl),
    _key("object", "GET", "retention"): Operation("GetObjectRetention", settings.get_retention),
    _key("object", "GET", "legal-hold"): Operation("GetObjectLegalHold", settings.get_retention),
    **{
        _key("bucket", "GET", name): Operation(operation, settings.unset(name))
        for name, (operation, _, _) in settings.UNSET.items()
    },
    **{
        _key("bucket", "GET", name): Operation(operation, settings.default(name))
        for name, (operation, _, _) in settings.DEFAULTS.items()
    },
}
VERSIONED = frozenset({
    "DeleteObject", "DeleteObjectTagging", "GetObject", "GetObjectAcl", "GetObjectAttributes",
    "GetObjectLegalHold", "GetObjectRetention", "GetObjectTagging", "HeadObject",
    "PutObjectTagging",
})  # fmt: skip
"""The operations that may name a version."""


class S3App:
    """An `Application` for S3 requests."""

    def __init__(
        self,
        store: ObjectStore,
        region: str = "us-east-1",
        account: str = "000000000000",
        refusals: Callable[[Head], Refusal] = lambda _: never_refused,
        checks: Checks = UNCHECKED,
    ) -> None:
        self._store = store
        self._region = region
        self._account = account
        self._refusals = refusals
        self._checks = checks

    @property
    def offers(self) -> Offers:
        """Return the operations that the service answers."""
        return offers("s3", (operation.name for operation in ROUTES.values()))

    def body_limit(self, head: Head) -> int | None:
        """Return None for uploads, so that an object is streamed to disk."""
        return None if head.method == "PUT" else collect_limit(head, SMALL_BODY)

    async def handle(self, request: Request) -> Response:
        """Answer one request; raises ClientGoneError."""
        return await self._guarded(request, self._answer)

    async def handle_form(self, request: Request, form: Form) -> Response:
        """Answer a form that uploads an object; raises ClientGoneError."""

        async def answer(request: Request) -> Response:
            put = as_put(request.head, form, self._checks.now(), self._checks.form)
            return posted.answer(await self._answer(put), request.head, put, form)

        return await self._guarded(request, answer)

    async def _guarded(self, request: Request, run: Answer) -> Response:
        request_id = _request_id()
        try:
            response = await run(request)
        except ObjectStoreError as error:
            response = self._refuse(request, from_store(error), request_id)
        except OSError as error:
            if error.errno not in FULL:
                raise
            response = self._refuse(request, from_store(StoreFullError(error)), request_id)
        except BodyTooLargeError:
            response = self._refuse(request, S3Error("MaxMessageLengthExceeded", LONG), request_id)
        headers = {**response.headers, "x-amz-request-id": request_id}
        return replace(response, headers=headers)

    async def _answer(self, request: Request) -> Response:
        call = parse_request(self._store, self._region, self._account, request.head)
        check_mechanism(request.head)
        check_lifetime(request.head, self._checks.now())
        if not self._checks.anonymous:
            check_signed(call)
        call = replace(
            call, refusal=self._refusals(request.head), knows_region=self._checks.knows_region
        )
        operation = _choose(call)
        check_region(call, operation.name)
        await asyncio.to_thread(check_fields, call, operation.name)
        check_permissions(call, operation.name)
        try:
            return await self._run(call, operation, request)
        except (NoSuchKeyError, DeletedError):
            check_missing(call, operation.name)
            raise

    async def _run(self, call: S3Call, operation: Operation, request: Request) -> Response:
        if operation.before is None:
            content = await small_body(request)
            verify_content(content, request.head.headers, None)
            return await asyncio.to_thread(operation.run, replace(call, content=content))
        await asyncio.to_thread(operation.before, call)
        received = await receive(request, self._store)
        return await asyncio.to_thread(operation.run, replace(call, received=received))

    @staticmethod
    def failed(head: Head) -> Response:
        """Return the response to a request that failed for a reason of this server."""
        empty = head.method == "HEAD"
        return render(S3Error("InternalError", FAILED), head.path, _request_id(), empty=empty)

    def _refuse(self, request: Request, error: S3Error, request_id: str) -> Response:
        logger.debug("S3 %s %s: %s", request.head.method, request.head.path, error.code)
        empty = request.head.method == "HEAD"
        return render(error, request.head.path, request_id, empty=empty)


def _request_id() -> str:
    return uuid.uuid4().hex[:16].upper()


def _choose(call: S3Call) -> Operation:
    level = "object" if call.key else "bucket" if call.bucket else "service"
    if "x-amz-copy-source" in call.head.headers:
        level = "copy"
    # A bare name that is not in the table selects an operation of a newer S3: DELETE OBJECT?name
    # must not delete the object.
    bare = frozenset(_BARE.findall(call.head.query)) - _MAY_BE_BARE
    names = SUBRESOURCES.intersection(call.query) | bare
    operation = ROUTES.get((level, call.head.method, names - {"versionId"}))
    if operation is None or ("versionId" in names and operation.name not in VERSIONED):
        what = " ".join([call.head.method, level, *sorted(names)])
        raise not_implemented(what)
    return operation
