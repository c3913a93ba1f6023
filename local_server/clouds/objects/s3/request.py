"""A parsed S3 request: bucket, key, query, object properties and preconditions in its headers.

Preconditions of reads, copies and deletes: RFC 9110 13; CopyObject, API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from ....transport.types import Head
from ...pages import decode_token
from ..addressing import bucket_in
from ..http_util import UndecodableError, decode, number, parse_http_date, query_of
from ..store.errors import NoSuchKeyError
from ..store.store import ObjectStore
from ..store.types import Blob, ObjectInfo, ObjectProperties, Precondition
from .errors import S3Error, not_implemented

DEFAULT_TYPE = "binary/octet-stream"
MAX_KEY_BYTES = 1024
MAX_METADATA_BYTES = 2048
STORED_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
)
ENCRYPTION = "x-amz-server-side-encryption"
"""Prefix of the headers about an object's encryption."""
ENCRYPTIONS = frozenset({"AES256", "aws:kms", "aws:kms:dsse"})
"""Accepted names of encryption; the bytes are stored unencrypted here."""
STORAGE_CLASSES = frozenset({
    "STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY",
    "GLACIER_IR",
})  # fmt: skip
"""Storage classes whose objects can be read immediately."""
ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE"})


Refusal = Callable[[str, str], str]
"""Returns S3's sentence if the caller may not perform an action on an ARN; "" if it may."""


KnowsRegion = Callable[[str], bool]
"""Returns whether a region exists."""


def never_refused(_action: str, _resource: str) -> str:
    """Return "": the caller may do everything."""
    return ""


@dataclass(frozen=True, slots=True)
class Received:
    """A complete and verified body; `checksum` is `ALGORITHM:BASE64`, or empty."""

    blob: Blob
    checksum: str


@dataclass(frozen=True, slots=True)
class S3Call:
    """A request to S3. `content` is a small body, `received` an object's or a part's."""

    store: ObjectStore
    region: str
    account: str
    head: Head
    bucket: str
    key: str
    query: Mapping[str, str]
    content: bytes = b""
    received: Received | None = None
    refusal: Refusal = never_refused
    knows_region: KnowsRegion = bool

    @property
    def resource(self) -> str:
        """Return the path, as error documents name it."""
        return f"/{self.bucket}/{self.key}" if self.key else f"/{self.bucket}"

    @property
    def url(self) -> str:
        """Return the object's URL on the host of the request."""
        host = self.head.headers.get("host", "")
        return f"http://{host}/{quote(self.bucket)}/{quote(self.key)}"

    def header(self, name: str) -> str | None:
        """Return a header's value, or None."""
        return self.head.headers.get(name)

    @property
    def blob(self) -> Blob:
        """Return the blob of the received body."""
        assert self.received is not None
        return self.received.blob


def parse_request(store: ObjectStore, region: str, account: str, head: Head) -> S3Call:
    """Parse a request, whose bucket is in its host or its path; raises S3Error."""
    try:
        path = decode(head.path)
        query = query_of(head)
    except UndecodableError as error:
        raise S3Error("InvalidURI", "Couldn't parse the specified URI.") from error
    bucket, key = bucket_in(head.headers.get("host", "")), path.removeprefix("/")
    if not bucket:
        bucket, _, key = key.partition("/")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise S3Error("KeyTooLongError", "Your key is too long")
    if _leaves_root(key):
        raise S3Error("BadRequest", "")
    return S3Call(store, region, account, head, bucket, key, query)


def _leaves_root(key: str) -> bool:
    """Return whether a key has at some point more `..` than other segments before it.

    Source: S3 User Guide, "Object key naming guidelines"; the response is that of
    versity/versitygw#1365 and floci-io/floci#1320.
    """
    depth = 0
    for segment in key.split("/") if ".." in key else ():
        depth += {"..": -1, ".": 0, "": 0}.get(segment, 1)
        if depth < 0:
            return True
    return False


def properties_from(headers: Mapping[str, str], checksum: str = "") -> ObjectProperties:
    """Return the object properties in an upload's headers, without tags; raises S3Error."""
    if headers.get("x-amz-server-side-encryption", "AES256") not in ENCRYPTIONS:
        raise S3Error("InvalidArgument", "The encryption method specified is not supported")
    metadata = {
        name.removeprefix("x-amz-meta-"): value
        for name, value in headers.items()
        if name.startswith("x-amz-meta-")
    }
    if sum(len(name) + len(value) for name, value in metadata.items()) > MAX_METADATA_BYTES:
        message = "Your metadata headers exceed the maximum allowed metadata size"
        raise S3Error("MetadataTooLarge", message, MaxSizeAllowed=str(MAX_METADATA_BYTES))
    stored = {name: headers[name] for name in STORED_HEADERS if name in headers}
    encodings = [each.strip() for each in stored.pop("content-encoding", "").split(",")]
    encoding = ", ".join(each for each in encodings if each and each != "aws-chunked")
    if encoding:
        stored["content-encoding"] = encoding
    return ObjectProperties(
        headers.get("content-type", DEFAULT_TYPE),
        metadata,
        stored,
        checksum,
        storage_class=storage_class(headers),
    )


def storage_class(headers: Mapping[str, str]) -> str:
    """Return the storage class of a new object; raises S3Error."""
    name = headers.get("x-amz-storage-class", "STANDARD")
    if name in ARCHIVES:
        raise not_implemented(f"x-amz-storage-class: {name}")
    if name not in STORAGE_CLASSES:
        raise S3Error("InvalidStorageClass", "The storage class you specified is not valid")
    return name


def write_condition(headers: Mapping[str, str]) -> Precondition:
    """Return the precondition of a write; raises S3Error.

    A write compares If-Match with the one current ETag, with or without quotes; only reads take
    lists (versity/versitygw#2368, #1839, checked against S3).
    """
    none_match = headers.get("if-none-match")
    if none_match not in {None, "*"}:
        raise S3Error(
            "NotImplemented",
            "A conditional write takes If-None-Match with '*' only",
            Header="If-None-Match",
        )
    return Precondition(match=headers.get("if-match"), none_match=none_match, is_one=True)


Encode = Callable[[str], str]


def encoding(call: S3Call) -> Encode:
    """Return the function that encodes keys in a listing's XML; raises S3Error."""
    kind = call.query.get("encoding-type")
    if kind is None:
        return str
    if kind != "url":
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request")
    return quote


def number_in(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a number in the query, from 0 to `most`; raises S3Error."""
    text = query.get(name, str(default))
    value = number(text)
    if value is None:
        message = f"Provided {name} not an integer or within integer range"
        raise S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=text)
    return min(value, most)


def from_token(token: str) -> str:
    """Return the name that a page starts at; raises S3Error."""
    try:
        return decode_token(token)
    except ValueError as error:
        message = "The continuation token provided is incorrect"
        raise S3Error("InvalidArgument", message, ArgumentName="continuation-token") from error


def check_unchanged(call: S3Call, info: ObjectInfo, prefix: str = "") -> None:
    """Refuse a request whose If-Match fails or, if it has none, its If-Unmodified-Since."""
    match = call.header(f"{prefix}if-match")
    check(info, call, Precondition(match=match))
    since = parse_http_date(call.header(f"{prefix}if-unmodified-since") or "")
    if match is None and since is not None and int(info.updated) > since:
        raise failed("If-Unmodified-Since")


def is_unchanged(call: S3Call, info: ObjectInfo, prefix: str = "") -> bool:
    """Return whether If-None-Match or, if absent, If-Modified-Since yields 304 Not Modified."""
    none_match = call.header(f"{prefix}if-none-match")
    if none_match is not None:
        return Precondition(none_match=none_match).failing(info) is not None
    since = parse_http_date(call.header(f"{prefix}if-modified-since") or "")
    return since is not None and int(info.updated) <= since


def check(info: ObjectInfo | None, call: S3Call, condition: Precondition) -> None:
    """Refuse a request whose condition does not hold for the object; raises S3Error."""
    if info is None and condition.match is not None:
        raise NoSuchKeyError(call.bucket, call.key)
    failing = condition.failing(info)
    if failing:
        raise failed(failing)


def failed(condition: str) -> S3Error:
    """Return the error for a failed condition."""
    message = "At least one of the pre-conditions you specified did not hold"
    return S3Error("PreconditionFailed", message, Condition=condition)
