"""The multipart/related decoder: real bodies, any cut, and what it refuses."""

from __future__ import annotations

import json
from email.generator import BytesGenerator
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from io import BytesIO
from itertools import pairwise

import pytest
from cloudserve.local_server.clouds.objects.gcs.uploads.multipart_related import (
    RelatedDecoder,
    RelatedError,
)
from hypothesis import assume, given
from hypothesis import strategies as st

CONTENT_TYPE = 'multipart/related; boundary="===B=="'
BODY = (
    b'--===B==\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{"name": "a/b.txt"}\r\n'
    b"--===B==\r\ncontent-type: text/plain\r\n\r\nhello\r\n--===B==--"
)


def decode(body: bytes, cuts: list[int] | None = None, content_type: str = CONTENT_TYPE):
    decoder = RelatedDecoder(content_type)
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]
    media = b"".join(decoder.feed(body[start:end]) for start, end in pairwise(edges))
    decoder.finish()
    return decoder.metadata, decoder.media_type, media


def test_a_body_as_google_cloud_storage_sends_it():
    assert decode(BODY) == (b'{"name": "a/b.txt"}', "text/plain", b"hello")


def test_a_boundary_as_gsutil_quotes_it():
    quoted = "multipart/related; boundary='===B=='"
    assert decode(BODY, content_type=quoted)[2] == b"hello"


def test_a_body_as_googleapiclient_sends_it_with_lines_that_end_in_lf():
    root = MIMEMultipart("related", "===B==")
    root._write_headers = lambda _: None
    metadata = MIMENonMultipart("application", "json")
    metadata.set_payload('{"name": "k"}')
    media = MIMENonMultipart("application", "octet-stream")
    media.set_payload("a\nb")
    root.attach(metadata)
    root.attach(media)
    written = BytesIO()
    BytesGenerator(written, mangle_from_=False).flatten(root, unixfrom=False)
    name, kind, content = decode(written.getvalue())
    assert (json.loads(name), kind, content) == ({"name": "k"}, "application/octet-stream", b"a\nb")


@given(
    media=st.binary(max_size=80)
    | st.sampled_from([b"\r\n", b"\r\n--", b"\r\n--===B", b"--===B", b"\n"]),
    metadata=st.sampled_from([b"", b"{}", b'{"name":"x"}']),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_any_media_in_any_cut_comes_out_as_it_went_in(media, metadata, cuts):
    assume(b"--===B==" not in media)
    body = (
        b"--===B==\r\nContent-Type: application/json\r\n\r\n" + metadata + b"\r\n"
        b"--===B==\r\nContent-Type: image/x\r\n\r\n" + media + b"\r\n--===B==--\r\n"
    )
    assert decode(body, cuts) == (metadata, "image/x", media)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused(body):
    decoder = RelatedDecoder(CONTENT_TYPE)
    with pytest.raises(RelatedError):  # noqa: PT012 where it is refused depends on the bytes
        decoder.feed(body)
        decoder.finish()


@pytest.mark.parametrize("length", range(len(BODY) - len("--")))
def test_a_body_that_stops_before_its_closing_boundary_is_refused(length):
    decoder = RelatedDecoder(CONTENT_TYPE)
    decoder.feed(BODY[:length])
    with pytest.raises(RelatedError, match="ends before its closing boundary"):
        decoder.finish()


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/related", "text/plain; boundary=x"]
)
def test_a_content_type_without_a_boundary_is_refused(content_type):
    with pytest.raises(RelatedError, match="not multipart/related with a boundary"):
        RelatedDecoder(content_type)
