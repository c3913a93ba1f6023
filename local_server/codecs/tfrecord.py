"""TFRecord files: byte strings in a row, each with checksums of its length and of itself.

Source: tensorflow/core/lib/io/record_writer.cc, record_reader.cc. What a killed writer leaves can
be read up to its last whole record.
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
    """A file that is no TFRecord file, or is damaged; in the words of TensorFlow's reader."""


def frame(record: bytes) -> bytes:
    """Return a record as it stands in a file."""
    length = _LENGTH.pack(len(record))
    return b"".join((length, masked_crc32c(length), record, masked_crc32c(record)))


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a file from where it stands to its end.

    Raises RecordError after the whole records before it. A header that is cut short is an end, as
    to TensorFlow; lengths past the end of the file are not believed.
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
