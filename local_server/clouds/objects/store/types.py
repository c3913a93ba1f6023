"""The nouns of the object store: frozen, and free of any protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .checksums import to_base64

OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that were written and hashed but belong to no object yet.

    `staged` is the file that holds them until a put takes it over or they are discarded; None
    when they are in the store already.
    `address` is what the store keeps them by. `digests` has the raw checksums by algorithm, at
    least those of `checksums.ALWAYS`, and of joined blobs the CRCs.
    `pieces` are the addresses of the files that it was joined of; () where it is one file.
    """

    staged: Path | None
    size: int
    address: bytes
    digests: Mapping[str, bytes]
    pieces: tuple[bytes, ...] = ()

    @property
    def sha256(self) -> str:
        """Return the SHA-256 in hex; no joined blob has one."""
        return self.digests["sha256"].hex()


@dataclass(frozen=True, slots=True)
class About:
    """What a writer says of an object, beside its bytes."""

    content_type: str = OCTETS
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The user's own metadata."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Stored response headers by lower-case name: cache-control, content-encoding, …"""
    checksum: str = ""
    """The S3 checksum given at upload, as `ALGORITHM:BASE64`; `…-N` for one over N parts."""
    etag: str = ""
    """S3's ETag, unquoted, where it is not the MD5: that of a multipart upload."""
    components: int = 0
    """Of how many pieces it was composed; 0 when it was written in one."""
    storage_class: str = "STANDARD"
    tags: Mapping[str, str] = field(default_factory=dict)
    """S3's tags."""
    custom_time: str = ""
    """Cloud Storage's `customTime`, as it was given; empty where there is none."""


@dataclass(frozen=True, slots=True)
class BucketInfo:
    """A bucket. Times are seconds since the epoch.

    `metageneration` counts the changes of its `settings`, from 1; those are a JSON object whose
    members the face knows.
    """

    name: str
    project: str
    region: str
    created: float
    updated: float
    metageneration: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object. Digests are raw bytes, times are seconds since the epoch.

    `address` is its blob's. `md5` is empty where the object was joined of parts, as its
    `about.components` tells.

    `generation` grows with every write in the store, `metageneration` counts the changes of this
    generation's metadata from 1 (GCS's meaning of both).
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
    about: About
    created: float
    updated: float

    @property
    def is_folder(self) -> bool:
        """Say whether this is an empty object that a console or TensorFlow made as a folder."""
        return self.key.endswith("/") and self.size == 0

    @property
    def etag(self) -> str:
        """Return S3's ETag without its quotes."""
        return self.about.etag or self.md5.hex()

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
    """What must hold of the present object for an operation to happen; None asks nothing.

    Generation 0 and ETag "*" in `none_match` mean: there must be no object. ETag "*" in `match`
    means: there must be one.
    """

    generation: int | None = None
    generation_not: int | None = None
    metageneration: int | None = None
    metageneration_not: int | None = None
    match: str | None = None
    none_match: str | None = None

    def failing(self, info: ObjectInfo | None) -> str | None:
        """Return the name of the first condition that does not hold, or None."""
        generation = info.generation if info else 0
        metageneration = info.metageneration if info else 0
        held = {
            "ifGenerationMatch": self.generation in (None, generation),
            "ifGenerationNotMatch": self.generation_not is None
            or self.generation_not != generation,
            "ifMetagenerationMatch": self.metageneration in (None, metageneration),
            "ifMetagenerationNotMatch": self.metageneration_not is None
            or self.metageneration_not != metageneration,
            "If-Match": self.match is None or _matches(self.match, info),
            "If-None-Match": self.none_match is None or not _matches(self.none_match, info),
        }
        return next((name for name, holds in held.items() if not holds), None)


def _matches(header: str, info: ObjectInfo | None) -> bool:
    """Tell whether a list of ETags (RFC 9110 13.1.1) has the object's."""
    if info is None:
        return False
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or info.etag in tags


ANYTHING = Precondition()


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing: objects and common prefixes, each in UTF-8 order.

    `next` is where the next page starts (inclusive), or None when this one was the last.
    """

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload under way."""

    id: str
    bucket: str
    key: str
    about: About
    created: float


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart upload; `checksum` is what the client announced for it, or empty."""

    number: int
    size: int
    sha256: bytes
    md5: bytes
    crc32c: bytes
    crc32: bytes
    checksum: str
    created: float


def as_blob(stored: ObjectInfo | Part) -> Blob:
    """Return stored content as a blob, to put it again under another name."""
    address = stored.sha256 if isinstance(stored, Part) else stored.address
    digests = {"md5": stored.md5, "crc32c": stored.crc32c, "crc32": stored.crc32}
    return Blob(None, stored.size, address, digests)


@dataclass(frozen=True, slots=True)
class Session:
    """A resumable upload: `received` bytes are safe on disk.

    `expected` has the raw digests announced at its start, by algorithm; `total` the size, when it
    is known. `generation` is the finished object's, 0 until then.
    """

    id: str
    bucket: str
    key: str
    about: About
    precondition: Precondition
    expected: Mapping[str, bytes]
    total: int | None
    received: int
    generation: int
    created: float
