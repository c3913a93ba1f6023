"""The checksums, by their published check values over "123456789"."""

from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.objects.store.checksums import (
    ALGORITHMS,
    from_base64,
    to_base64,
)
from hypothesis import given
from hypothesis import strategies as st

CHECK = b"123456789"


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("crc32", "cbf43926"),
        ("crc32c", "e3069283"),
        ("crc64nvme", "ae8b14860a799888"),
        ("md5", "25f9e794323b453885f5181f1b624d0b"),
        ("sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ],
)
def test_an_algorithm_has_its_check_value(algorithm, value):
    hasher = ALGORITHMS[algorithm]()
    hasher.update(CHECK)
    assert hasher.digest().hex() == value


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@given(content=st.binary(max_size=100), cut=st.integers(0, 100))
def test_a_checksum_does_not_depend_on_how_the_bytes_are_cut(algorithm, content, cut):
    whole, parts = ALGORITHMS[algorithm](), ALGORITHMS[algorithm]()
    whole.update(content)
    parts.update(content[:cut])
    parts.update(content[cut:])
    assert whole.digest() == parts.digest()
    assert from_base64(to_base64(whole.digest()), algorithm) == whole.digest()


@pytest.mark.parametrize("text", ["", "!!!!", "AAAA", "AAAAAA==x", "AAAAAAAAAAA="])
def test_an_invalid_crc32_is_refused(text):
    with pytest.raises(ValueError, match=r"base64|length"):
        from_base64(text, "crc32")
