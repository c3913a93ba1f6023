"""Incremental hashers for the checksums that S3 and GCS clients send.

CRC digests are big-endian, as both protocols encode them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

import google_crc32c

CRC64NVME_POLYNOMIAL = 0x9A6C9329AC4BC9B5
"""The reflected polynomial of CRC-64/NVME (NVM Express NVM Command Set 1.0, 5.2.1.3.4)."""

MASK64 = 0xFFFFFFFFFFFFFFFF


class Hasher(Protocol):
    """An incremental checksum."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def digest(self) -> bytes:
        """Return the checksum of the bytes so far."""
        ...


class Crc32:
    """CRC-32 (ISO-HDLC), called CRC32 by S3."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Return the checksum's four bytes."""
        return self._value.to_bytes(4, "big")


class Crc32c:
    """CRC-32C (Castagnoli), GCS's own checksum."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        self._value = google_crc32c.extend(self._value, data)

    def digest(self) -> bytes:
        """Return the checksum's four bytes."""
        return self._value.to_bytes(4, "big")


@cache
def _crc64nvme_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (CRC64NVME_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


class Crc64Nvme:
    """CRC-64/NVME by table, about 10 MB/s: computed only for a client that announces it.

    Only the AWS CRT does, and the AWS SDK for Python does not use the CRT by default.
    """

    def __init__(self) -> None:
        self._value = MASK64
        self._table = _crc64nvme_table()

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        value, table = self._value, self._table
        for byte in data:
            value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
        self._value = value

    def digest(self) -> bytes:
        """Return the checksum's eight bytes."""
        return (self._value ^ MASK64).to_bytes(8, "big")


def _md5() -> Hasher:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Hasher:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: Mapping[str, Callable[[], Hasher]] = {
    "crc32": Crc32,
    "crc32c": Crc32c,
    "crc64nvme": Crc64Nvme,
    "md5": _md5,
    "sha1": _sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}

ALWAYS = ("sha256", "md5", "crc32c", "crc32")
"""Always computed: the blob's address, S3's ETag, GCS's checksum, and the SDKs' default."""


class Digests:
    """Several checksums of one stream of bytes."""

    def __init__(self, names: tuple[str, ...] = ALWAYS) -> None:
        self._hashers = {name: ALGORITHMS[name]() for name in dict.fromkeys(names)}

    def update(self, data: bytes) -> None:
        """Add bytes."""
        for hasher in self._hashers.values():
            hasher.update(data)

    def result(self) -> dict[str, bytes]:
        """Return the checksums by algorithm."""
        return {name: hasher.digest() for name, hasher in self._hashers.items()}


def to_base64(digest: bytes) -> str:
    """Return a digest in base64, as both protocols write it."""
    return base64.b64encode(digest).decode("ascii")


def from_base64(text: str, algorithm: str) -> bytes:
    """Decode a base64 digest; raises ValueError if it is not one of this algorithm."""
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text!r} is not base64") from error
    if len(digest) != len(ALGORITHMS[algorithm]().digest()):
        raise ValueError(f"{text!r} has the wrong length for {algorithm}")
    return digest
