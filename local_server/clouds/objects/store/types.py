"""The types of the object store: frozen, and independent of any protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from .checksums import to_base64

OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Blob:
    """Written and hashed bytes that do not belong to an object yet.

    `temp_path` is the file that holds them until a put consumes it or they are discarded; None
    if they are already stored.
    `address` identifies them in the store. `digests` has the raw checksums by algorithm: at least
    those of `checksums.ALWAYS`, and for a composite the CRCs.
    `pieces` are the addresses of a composite's files; () for a blob in one file.
    """

    temp_path: Path | None
    size: int
    address: bytes
    digests: Mapping[str, bytes]
    pieces: tuple[bytes, ...] = ()

    @property
    def sha256(self) -> str:
        """Return the SHA-256 in hex; a composite has none."""
        return self.digests["sha256"].hex()


@dataclass(frozen=True, slots=True)
class PartSize:
    """A part of a finished multipart upload; `checksum` is `ALGORITHM:BASE64`, or empty."""

    number: int
    size: int
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class ObjectProperties:
    """What a client sets on an object besides its bytes."""

    content_type: str = OCTETS
    metadata: Mapping[str, str] = field(default_factory=dict)
    """User-defined metadata."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Stored response headers by lower-case name: cache-control, content-encoding, …"""
    checksum: str = ""
    """The S3 checksum given at upload, as `ALGORITHM:BASE64`; `…-N` for one over N parts."""
    etag: str = ""
    """S3's ETag, unquoted, if it is not the MD5: that of a multipart upload."""
    components: int = 0
    """Number of pieces it was composed of; 0 if it was written as one."""
    storage_class: str = "STANDARD"
    tags: Mapping[str, str] = field(default_factory=dict)
    """S3's tags."""
    custom_time: str = ""
    """Cloud Storage's `customTime`, as the client wrote it; empty if unset."""
    parts: tuple[PartSize, ...] = ()
    """The parts that the object was uploaded in."""
    versioned: bool = False
    """Whether its bucket had versioning when it was written: S3 calls any other version "null"."""
    holds: tuple[str, ...] = ()
    """Cloud Storage's holds, by the names of their fields; none may be deleted or replaced."""
    retain_until: float = 0.0
    """The end of Cloud Storage's retention of this object, in seconds since the epoch."""
    customer_key: str = ""
    """The SHA-256 of the client's own key in base64; the bytes are stored unencrypted here."""


ENABLED, SUSPENDED = "Enabled", "Suspended"


@dataclass(frozen=True, slots=True)
class BucketInfo:
    """A bucket. Times are seconds since the epoch.

    `metageneration` counts the changes of its `settings`, from 1. Settings are a JSON object in the
    protocol's own form. `versioning` is "", ENABLED or SUSPENDED. Deleted objects can be restored
    for `soft_delete` seconds; an object may not be deleted in the first `retention` seconds.
    """

    name: str
    project: str
    region: str
    created: float
    updated: float
    metageneration: int
    settings: Mapping[str, Any]
    versioning: str = ""
    soft_delete: float = 0.0
    retention: float = 0.0


class State(IntEnum):
    """What a version of an object is."""

    LIVE = 0
    NONCURRENT = 1
    MARKER = 2
    """S3's delete marker, which has no content."""
    SOFT_DELETED = 3


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object. Digests are raw bytes, times are seconds since the epoch.

    `address` is its blob's. `md5` is empty for a composite object (`properties.components`).

    `generation` grows with every write in the store, `metageneration` counts the changes of this
    generation's metadata from 1 (GCS's meaning of both). `ended` is when a version that is not
    live was replaced or deleted, `until` when a soft-deleted one is lost.
    """

    bucket: str
    key: str
    size: int
    address: bytes
    md5: bytes
    crc32c: bytes
    crc32: bytes
    generation: int
    metageneration: int
    properties: ObjectProperties
    created: float
    updated: float
    state: State = State.LIVE
    ended: float = 0.0
    until: float = 0.0

    @property
    def is_folder(self) -> bool:
        """Return whether this is an empty object that stands for a folder."""
        return self.key.endswith("/") and self.size == 0

    @property
    def etag(self) -> str:
        """Return S3's ETag without its quotes."""
        return self.properties.etag or self.md5.hex()

    @property
    def crc32c_base64(self) -> str:
        """Return the CRC-32C as GCS writes it."""
        return to_base64(self.crc32c)

    @property
    def md5_base64(self) -> str:
        """Return the MD5 as GCS writes it."""
        return to_base64(self.md5)


@dataclass(frozen=True, slots=True)
class Precondition:
    """What an object must fulfil for an operation to happen; None is not checked.

    Generation 0, and ETag "*" in `none_match`, require that there is no object. ETag "*" in
    `match` requires one. `match` is a list of ETags, unless it `is_one`.
    """

    generation: int | None = None
    generation_not: int | None = None
    metageneration: int | None = None
    metageneration_not: int | None = None
    match: str | None = None
    none_match: str | None = None
    is_one: bool = False

    @property
    def names_etags(self) -> bool:
        """Return whether this is a condition of HTTP's own headers."""
        return self.match is not None or self.none_match is not None

    def failing(self, info: ObjectInfo | None) -> str | None:
        """Return the name of the first condition that does not hold, or None."""
        generation = info.generation if info else 0
        metageneration = info.metageneration if info else 0
        conditions = {
            "ifGenerationMatch": self.generation in (None, generation),
            "ifGenerationNotMatch": self.generation_not is None
            or self.generation_not != generation,
            "ifMetagenerationMatch": self.metageneration in (None, metageneration),
            "ifMetagenerationNotMatch": self.metageneration_not is None
            or self.metageneration_not != metageneration,
            "If-Match": self.match is None or self._has_match(self.match, info),
            "If-None-Match": self.none_match is None or not _matches(self.none_match, info),
        }
        return next((name for name, holds in conditions.items() if not holds), None)

    def _has_match(self, match: str, info: ObjectInfo | None) -> bool:
        if self.is_one:
            return info is not None and match.strip().strip('"') in {"*", info.etag}
        return _matches(match, info)


def _matches(header: str, info: ObjectInfo | None) -> bool:
    """Return whether a list of ETags (RFC 9110 13.1.1) has the object's."""
    if info is None:
        return False
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or info.etag in tags


ANYTHING = Precondition()


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing: objects and common prefixes, each in UTF-8 order.

    `next` is where the next page starts (inclusive), or None for the last page.
    """

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class VersionListing:
    """A page of versions, by key and from new to old, with the common prefixes.

    `next` is the last entry of the page as (key, generation), 0 for a prefix; None if it is the
    last page.
    """

    versions: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    next: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An unfinished multipart upload; `conflicts` counts the deletions of its key since then."""

    id: str
    bucket: str
    key: str
    properties: ObjectProperties
    created: float
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart upload; `checksum` is the one the client announced, or empty."""

    number: int
    size: int
    sha256: bytes
    md5: bytes
    crc32c: bytes
    crc32: bytes
    checksum: str
    created: float


def as_blob(stored: ObjectInfo | Part) -> Blob:
    """Return stored content as a blob, to store it again under another name."""
    address = stored.sha256 if isinstance(stored, Part) else stored.address
    digests = {"md5": stored.md5, "crc32c": stored.crc32c, "crc32": stored.crc32}
    return Blob(None, stored.size, address, digests)


@dataclass(frozen=True, slots=True)
class Session:
    """A resumable upload, whose first `received` bytes are flushed to disk.

    `expected` has the raw digests announced at its start, by algorithm; `total` is the size, if
    known. `generation` is the finished object's, and 0 until then.
    """

    id: str
    bucket: str
    key: str
    properties: ObjectProperties
    precondition: Precondition
    expected: Mapping[str, bytes]
    total: int | None
    received: int
    generation: int
    created: float
