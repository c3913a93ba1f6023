"""Raw Snappy decompression, for `variables.index` files of newer TensorFlow versions.

Source: google/snappy, format_description.txt. An index has kilobytes, so plain Python is fast
enough and avoids a compiled dependency.
"""

from __future__ import annotations

from cloudserve.savedmodel.varint import read_varint

_LITERAL = 0
_COPY_4_BYTES = 3
_LONGEST_INLINE_LITERAL = 59


def decompress(data: bytes) -> bytes:
    """Return the decompressed bytes. Raises ValueError if the data is truncated or not Snappy."""
    size, position = read_varint(data, 0)
    output = bytearray()
    while position < len(data):
        tag = data[position]
        read = _append_literal if tag & 3 == _LITERAL else _append_copy
        position = read(data, position, output)
    if len(output) != size:
        raise ValueError(f"Snappy data of length {len(output)} claims {size}")
    return bytes(output)


def _append_literal(data: bytes, position: int, output: bytearray) -> int:
    length = data[position] >> 2
    position += 1
    if length > _LONGEST_INLINE_LITERAL:
        extra = length - _LONGEST_INLINE_LITERAL
        length = int.from_bytes(data[position : position + extra], "little")
        position += extra
    end = position + length + 1
    output += data[position:end]
    return end


def _append_copy(data: bytes, position: int, output: bytearray) -> int:
    tag = data[position]
    kind = tag & 3
    end = position + (5 if kind == _COPY_4_BYTES else kind + 1)
    low = int.from_bytes(data[position + 1 : end], "little")
    one_byte_offset = kind == 1
    length = ((tag >> 2) & 7) + 4 if one_byte_offset else (tag >> 2) + 1
    offset = ((tag >> 5) << 8) + low if one_byte_offset else low
    _repeat(output, offset, length)
    return end


def _repeat(output: bytearray, offset: int, length: int) -> None:
    """Append `length` bytes from `offset` back; they may overlap the appended ones."""
    if not 0 < offset <= len(output):
        raise ValueError(f"Snappy copy from {offset} bytes back, of {len(output)}")
    pattern = output[len(output) - offset :]
    output += (pattern * (length // offset + 1))[:length]
