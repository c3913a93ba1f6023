"""Header blocks against hpack's own encoder and decoder, and what makes a request."""

import pytest
from cloudserve.local_server.transport.http2.wire.errors import ConnectionFault, ErrorCode
from cloudserve.local_server.transport.http2.wire.header_blocks import (
    BlockDecoder,
    changes_table,
    encode,
)
from cloudserve.local_server.transport.http2.wire.request_head import (
    MalformedError,
    check_trailers,
    read_head,
)
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

PSEUDO = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/s/m")]
NAMES = st.sampled_from([b"grpc-timeout", b"user-agent", b"te", b"x", b"x-bin"])
VALUES = st.sampled_from([b"trailers", b"1S", b"abc", b"y" * 40])
FIELDS = st.lists(st.tuples(NAMES.filter(lambda n: n != b"te"), VALUES), max_size=4)
SENSITIVE = st.booleans()
# How a client encodes a request: its fields, whether they are kept out of the table, and whether
# the table is resized before.
REQUESTS = st.lists(
    st.tuples(FIELDS, SENSITIVE, st.sampled_from([None, None, None, 0, 100, 4096])), max_size=12
)


@given(REQUESTS)
def test_a_block_is_decoded_the_same_whether_it_is_known_or_not(requests):
    encoder, decoder = Encoder(), BlockDecoder(65536)
    for fields, is_sensitive, size in requests:
        if size is not None:
            encoder.header_table_size = size
        sent = [(*field, is_sensitive) for field in PSEUDO + fields]
        head = decoder.request(encoder.encode(sent))
        assert list(head.fields) == fields
        assert (head.method, head.path) == (b"POST", b"/s/m")


def test_an_equal_block_gives_the_same_head_until_the_table_changes():
    encoder, decoder = Encoder(), BlockDecoder(65536)
    pseudo = [*PSEUDO[:2], (b":path", b"/")]  # of the static table
    first = decoder.request(encoder.encode([*pseudo, (b"k", b"1")]))
    again = encoder.encode([*pseudo, (b"k", b"1")])
    second, third = decoder.request(again), decoder.request(again)
    assert second is third
    assert second is not first
    # The newest entry is index 62: the same bytes mean another field from now on.
    changed = decoder.request(encoder.encode([*pseudo, (b"l", b"2")]))
    fourth = decoder.request(again)
    assert changed.fields == ((b"l", b"2"),)
    assert fourth is not third
    assert fourth.fields == ((b"l", b"2"),)


@given(FIELDS)
def test_a_sent_block_changes_no_table_and_is_read_by_hpack(fields):
    block = encode([(b":status", b"200"), *fields])
    assert not changes_table(block)
    assert [tuple(f) for f in Decoder().decode(block, raw=True)] == [(b":status", b"200"), *fields]


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_a_request_or_refused(blocks):
    decoder = BlockDecoder(4096)
    for block in blocks:
        try:
            decoder.request(block)
        except MalformedError:
            continue
        except ConnectionFault as fault:
            assert fault.code in {ErrorCode.COMPRESSION_ERROR, ErrorCode.ENHANCE_YOUR_CALM}
            return


def test_a_header_list_that_expands_beyond_the_limit_ends_the_connection():
    encoder, decoder = Encoder(), BlockDecoder(4096)
    decoder.fields(encoder.encode([(b"k", b"v" * 1000)]))
    with pytest.raises(ConnectionFault, match="too large") as caught:
        decoder.fields(encoder.encode([(b"k", b"v" * 1000)] * 5))
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (PSEUDO[:2], "b':path' is missing"),
        ([*PSEUDO[:2], (b":path", b"")], "b':path' is missing"),
        ([*PSEUDO, (b":path", b"/")], "b':path' comes twice"),
        ([*PSEUDO, (b":status", b"200")], "b':status' is not a pseudo-header field of a request"),
        ([(b"k", b"v"), *PSEUDO], "b':method' comes after a regular field"),
        ([*PSEUDO, (b"K", b"v")], "b'K' is not a field name"),
        ([*PSEUDO, (b"", b"v")], "b'' is not a field name"),
        ([*PSEUDO, (b"connection", b"close")], "b'connection' belongs to HTTP/1.1"),
        ([*PSEUDO, (b"te", b"gzip")], "b'te' belongs to HTTP/1.1"),
        ([*PSEUDO, (b"k", b"a\nb")], "the value of b'k' has a character that is not allowed"),
        ([*PSEUDO, (b"k", b" a")], "the value of b'k' has a character that is not allowed"),
        ([*PSEUDO, (b"content-length", b"1x")], "content-length is not one number"),
        (
            [*PSEUDO, (b"content-length", b"1"), (b"content-length", b"2")],
            "content-length is not one number",
        ),
    ],
)
def test_a_header_list_that_is_not_a_request_is_malformed(fields, said):
    with pytest.raises(MalformedError) as caught:
        read_head(fields)
    assert str(caught.value) == said


def test_trailers_have_no_pseudo_header_fields():
    check_trailers([(b"k", b"v")])
    with pytest.raises(MalformedError, match="pseudo-header field in the trailers"):
        check_trailers([(b":path", b"/")])
