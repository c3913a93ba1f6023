"""The cutting of bodies, for every body and every way it may be split."""

from __future__ import annotations

import pytest
from cloudserve.local_server.transport.http.framing import Chunked, Counted, body_length
from cloudserve.local_server.transport.http.http_errors import HttpError
from hypothesis import given
from hypothesis import strategies as st

extensions = st.sampled_from([b"", b";a=b", b' ; q="x"', b"  "])
trailers = st.lists(st.sampled_from([b"A: b\r\n", b"x-y:\r\n"]), max_size=3)


@st.composite
def chunked_bodies(draw):
    """Draw a body and one of its encodings."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
    encoded = [
        b"%s%s\r\n%s\r\n"
        % (draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % len(piece), draw(extensions), piece)
        for piece in pieces
    ]
    end = b"0" + draw(extensions) + b"\r\n" + b"".join(draw(trailers)) + b"\r\n"
    return b"".join(pieces), b"".join(encoded) + end


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


def take_all(framing, segments) -> tuple[bytes, bytes]:
    content, rest = b"", b""
    for segment in segments:
        if framing.done:
            rest += segment
        else:
            piece, left = framing.take(segment)
            content += piece
            rest += left
    return content, rest


@given(chunked_bodies(), st.binary(max_size=20), st.lists(st.integers(0, 1 << 16), max_size=8))
def test_a_chunked_body_is_the_same_however_it_is_split(body, behind, cuts):
    content, encoded = body
    framing = Chunked()
    assert take_all(framing, split(encoded + behind, cuts)) == (content, behind)
    assert framing.done


@given(chunked_bodies(), st.integers(1, 1 << 16))
def test_a_chunked_body_is_not_done_before_its_last_byte(body, cut):
    content, encoded = body
    framing = Chunked()
    taken, rest = framing.take(encoded[: -1 - cut % len(encoded)])
    assert not framing.done
    assert rest == b""
    assert content.startswith(taken)


@given(st.binary(max_size=200))
def test_garbage_is_taken_or_refused_but_nothing_else(data):
    framing = Chunked()
    try:
        content, rest = framing.take(data)
    except HttpError as refusal:
        assert refusal.status == 400
    else:
        assert len(content) + len(rest) <= len(data)


@given(st.binary(max_size=100), st.binary(max_size=20), st.lists(st.integers(0, 200), max_size=5))
def test_a_counted_body_is_the_same_however_it_is_split(body, behind, cuts):
    framing = Counted(len(body))
    assert take_all(framing, split(body + behind, cuts)) == (body, behind)
    assert framing.done
    assert framing.remaining == 0


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({}, 0),
        ({"content-length": "0"}, 0),
        ({"content-length": "0042"}, 42),
        ({"transfer-encoding": "chunked"}, None),
        ({"transfer-encoding": "Chunked"}, None),
    ],
)
def test_the_length_of_a_body(headers, length):
    assert body_length(headers) == length


@pytest.mark.parametrize("text", ["", "+1", "-1", "1_0", "0x1", "1, 1", " 1", "\u0661", "1.0"])
def test_a_length_is_ascii_digits_and_nothing_else(text):
    with pytest.raises(HttpError) as refusal:
        body_length({"content-length": text})
    assert refusal.value.status == 400
