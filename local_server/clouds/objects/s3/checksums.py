"""What S3 tells of the checksums that objects were uploaded with."""

from __future__ import annotations

from ..store.types import ObjectInfo

FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
"""S3's names for what a checksum is over: the object, or its parts' checksums."""


def checksum_headers(info: ObjectInfo) -> dict[str, str]:
    """Return the headers that tell the checksum an object was uploaded with."""
    algorithm, _, value = info.about.checksum.partition(":")
    if not algorithm:
        return {}
    return {f"x-amz-checksum-{algorithm}": value, "x-amz-checksum-type": checksum_type(value)}


def checksum_type(value: str) -> str:
    """Return S3's name for what a checksum is over: the object, or its parts' checksums."""
    return COMPOSITE if "-" in value else FULL
