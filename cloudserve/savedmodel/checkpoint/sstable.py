"""LevelDB's table format, in which TensorFlow writes `variables.index`.

Source: google/leveldb, doc/table_format.md; TensorFlow's copy in tensorflow/core/lib/io/table*.
Checksums are not verified here; the loader does.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.savedmodel.varint import read_varint

_FOOTER_SIZE = 48
_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_BLOCK_TRAILER_SIZE = 5  # one byte of compression type, four of CRC
_UNCOMPRESSED, _SNAPPY = 0, 1


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values in key order. Raises ValueError for a damaged or truncated table."""
    if len(data) < _FOOTER_SIZE or not data.endswith(_MAGIC):
        raise ValueError("its end is missing")
    footer = data[-_FOOTER_SIZE:]
    _, _, position = _read_handle(footer, 0)  # the metaindex, which TensorFlow leaves empty
    offset, size, _ = _read_handle(footer, position)
    # The index block's values are the handles of the data blocks.
    for _, handle in _block_entries(_block(data, offset, size)):
        offset, size, _ = _read_handle(handle, 0)
        yield from _block_entries(_block(data, offset, size))


def _read_handle(data: bytes, position: int) -> tuple[int, int, int]:
    offset, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return offset, size, position


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _BLOCK_TRAILER_SIZE > len(data):
        raise ValueError("a block is missing")
    compression = data[end]
    if compression not in {_UNCOMPRESSED, _SNAPPY}:
        raise ValueError(f"a block has the unknown compression {compression}")
    block = data[offset:end]
    return decompress(block) if compression == _SNAPPY else block


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries; each key may share a prefix with the key before."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = read_varint(block, position)
        unshared, position = read_varint(block, position)
        length, position = read_varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


# Raw Snappy (google/snappy, format_description.txt), for indexes of newer TensorFlow versions. An
# index has kilobytes, so plain Python is fast enough and avoids a compiled dependency.
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
