"""TFRecord files: byte strings, each with checksums of its length and of its content.

Source: tensorflow/core/lib/io/record_writer.cc, record_reader.cc. A file of a killed writer can be
read up to its last complete record.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEADER_SIZE = _LENGTH.size + _CHECKSUM.size
_MASK_DELTA = 0xA282EAD8
_ALL_BITS = 0xFFFFFFFF


class RecordError(ValueError):
    """An invalid or damaged TFRecord file; the text is that of TensorFlow's reader."""


def frame(record: bytes) -> bytes:
    """Return a record as stored in a file."""
    length = _LENGTH.pack(len(record))
    return b"".join((length, masked_crc32c(length), record, masked_crc32c(record)))


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a file from its current position to its end.

    Raises RecordError after the complete records before it. A truncated header is the end, as for
    TensorFlow; a length past the end of the file is an error.
    """
    end = os.fstat(file.fileno()).st_size
    while len(header := file.read(_HEADER_SIZE)) == _HEADER_SIZE:
        offset = file.tell() - _HEADER_SIZE
        length, checksum = header[: _LENGTH.size], header[_LENGTH.size :]
        if masked_crc32c(length) != checksum:
            hint = "" if offset else " (Is this even a TFRecord file?)"
            raise RecordError(f"corrupted record at {offset}{hint}")
        (size,) = _LENGTH.unpack(length)
        if file.tell() + size + _CHECKSUM.size > end:
            text = f"truncated record at {offset}' failed with Read less bytes than requested"
            raise RecordError(text)
        record, checksum = file.read(size), file.read(_CHECKSUM.size)
        if masked_crc32c(record) != checksum:
            raise RecordError(f"corrupted record at {offset + _HEADER_SIZE}")
        yield record


def masked_crc32c(data: bytes) -> bytes:
    """Return the masked CRC-32C; a plain one of data with checksums in it is weak (crc32c.h)."""
    crc = google_crc32c.value(data)
    rotated = (crc >> 15 | crc << 17) & _ALL_BITS
    return _CHECKSUM.pack((rotated + _MASK_DELTA) & _ALL_BITS)
