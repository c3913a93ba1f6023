"""LevelDB's table format, in which TensorFlow writes `variables.index`.

Source: google/leveldb, doc/table_format.md; TensorFlow's copy in tensorflow/core/lib/io/table*.
Checksums are not verified here; the loader does.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.savedmodel.checkpoint.snappy import decompress
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
