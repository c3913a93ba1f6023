"""The CRC combined from the pieces is that of the concatenated bytes."""

from __future__ import annotations

import zlib

import google_crc32c
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.storage.upload.crc import CRC32_POLYNOMIAL, CRC32C_POLYNOMIAL, combined


@given(st.lists(st.binary(max_size=300)))
def test_the_combined_crcs_are_those_of_the_joined_bytes(pieces):
    for checksum, polynomial in (
        (zlib.crc32, CRC32_POLYNOMIAL),
        (google_crc32c.value, CRC32C_POLYNOMIAL),
    ):
        parts = [(checksum(piece).to_bytes(4, "big"), len(piece)) for piece in pieces]
        assert combined(parts, polynomial) == checksum(b"".join(pieces)).to_bytes(4, "big")
