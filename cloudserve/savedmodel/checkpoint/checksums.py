"""Checksums of the variables: CRC-32C of each tensor's bytes, kept masked in the index.

Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc (`BundleReader::GetValue`,
`ReadStringTensor`), tsl/lib/hash/crc32c.h (`Unmask`).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checkpoint.sstable import read_table
from cloudserve.savedmodel.checkpoint.variables import INDEX, read_index
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.files import UNREADABLE, read_file
from cloudserve.savedmodel.varint import read_varint

Extend = Callable[[int, bytes], int]
"""Return the CRC-32C of data before and these bytes after it (`google_crc32c.extend`)."""

_CHUNK = 1 << 22
_BITS = 32
_ALL_BITS = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8
_ROTATED = 17
_LONGEST_SHORT = 2**32 - 1


def damaged_tensors(path: Path, extend: Extend) -> tuple[str, ...]:
    """Return the tensors of a SavedModel's variables whose bytes do not match, in key order.

    Reads all of them. The index must be complete (`check_variables`). Tensors of dtype `variant`
    have a form of their own and are not judged.
    """
    data = read_file(path, INDEX)
    index = read_index(data)
    damaged = []
    for key, value in read_table(data):
        if not key:
            continue
        entry = proto.parse(proto.BundleEntryProto, value)
        if entry.size and dtype_name(entry.dtype) != "variant":
            chunks = _read(path / index.file_name(entry.shard_id), entry.offset, entry.size)
            if _checksum(entry, chunks, extend) != unmasked(entry.crc32c):
                damaged.append(key.decode("utf-8", "replace"))
    return tuple(damaged)


def _read(shard: Path, offset: int, size: int) -> Iterator[bytes]:
    try:
        with shard.open("rb") as file:
            file.seek(offset)
            while size > 0 and (chunk := file.read(min(size, _CHUNK))):
                size -= len(chunk)
                yield chunk
    except OSError as error:
        message = f"it cannot be read: {error.strerror}"
        raise ModelError(message, where=str(shard), hint=UNREADABLE) from error


def _checksum(entry: proto.Message, chunks: Iterator[bytes], extend: Extend) -> int | None:
    if dtype_name(entry.dtype) == "string":
        count = math.prod(dim.size for dim in entry.shape.dim)
        return _checksum_of_strings(b"".join(chunks), count, extend)
    checksum = 0
    for chunk in chunks:
        checksum = extend(checksum, chunk)
    return checksum


def _checksum_of_strings(data: bytes, count: int, extend: Extend) -> int | None:
    """Return the checksum of a string tensor, None if its lengths are damaged.

    The lengths come first, as varints; their checksum covers them as integers of fixed width.
    """
    checksum = position = 0
    for _ in range(count):
        try:
            length, position = read_varint(data, position)
        except ValueError:
            return None
        checksum = extend(checksum, struct.pack("<I" if length <= _LONGEST_SHORT else "<Q", length))
    return extend(checksum, data[position:])


def unmasked(masked: int) -> int:
    """Return the CRC-32C of a masked one, as indexes and TFRecord files store them."""
    rotated = (masked - _MASK_DELTA) & _ALL_BITS
    return (rotated >> _ROTATED | rotated << (_BITS - _ROTATED)) & _ALL_BITS
