"""The aws-chunked decoder: real bodies, any cut, and what it refuses."""

from __future__ import annotations

from itertools import pairwise

import pytest
from cloudserve.local_server.clouds.objects.s3.uploads.aws_chunked import (
    AwsChunkedDecoder,
    ChunkError,
)
from hypothesis import given
from hypothesis import strategies as st

# As captured from boto3 over https: a chunk, the last chunk, a trailer.
CAPTURED = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
SIGNED = (
    b"5;chunk-signature=" + b"a" * 64 + b"\r\nhello\r\n"
    b"0;chunk-signature=" + b"b" * 64 + b"\r\n"
    b"x-amz-checksum-crc32c:mnG7TA==\r\nx-amz-trailer-signature:" + b"c" * 64 + b"\r\n\r\n"
)


def decode(body: bytes, cuts: list[int] | None = None) -> tuple[bytes, dict[str, str]]:
    decoder = AwsChunkedDecoder()
    payload = []
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]
    for start, end in pairwise(edges):
        payload += decoder.feed(body[start:end])
    decoder.finish()
    return b"".join(payload), decoder.trailers


def test_a_captured_body_gives_its_payload_and_trailer():
    assert decode(CAPTURED) == (b"hello world", {"x-amz-checksum-crc32": "DUoRhQ=="})


def test_a_signed_body_gives_its_payload_and_trailers():
    payload, trailers = decode(SIGNED)
    assert payload == b"hello"
    assert trailers == {
        "x-amz-checksum-crc32c": "mnG7TA==",
        "x-amz-trailer-signature": "c" * 64,
    }


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=6),
    trailers=st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(["1", "a=b:c"])),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_any_framing_in_any_cut_comes_out_as_it_went_in(chunks, trailers, cuts):
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n"
    body += b"".join(f"{name}:{value}\r\n".encode() for name, value in trailers.items()) + b"\r\n"
    assert decode(body, cuts) == (b"".join(chunks), trailers)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_decoded_or_refused_and_nothing_else(body):
    decoder = AwsChunkedDecoder()
    try:
        decoder.feed(body)
        decoder.finish()
    except ChunkError:
        return
    assert body.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("length", range(len(CAPTURED)))
def test_a_body_that_stops_anywhere_is_refused(length):
    decoder = AwsChunkedDecoder()
    decoder.feed(CAPTURED[:length])
    with pytest.raises(ChunkError, match="ends before its last chunk"):
        decoder.finish()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"xyz\r\n", "is not a chunk's size"),
        (b"-1\r\n", "is not a chunk's size"),
        (b"+5\r\nhello\r\n", "is not a chunk's size"),
        (b"\r\n", "is not a chunk's size"),
        (b"fffffffffffff\r\n", "is not a chunk's size"),
        (b"2\r\nhello\r\n", "longer than its size"),
        (b"5\nhello\r\n", "does not end in CRLF"),
        (b"0\r\nno colon\r\n", "not NAME:VALUE"),
        (CAPTURED + b"more", "after the last chunk"),
        (b"5;" + b"x" * 20_000, "too long"),
    ],
)
def test_wrong_framing_is_refused_with_its_reason(body, reason):
    with pytest.raises(ChunkError, match=reason):
        AwsChunkedDecoder().feed(body)
