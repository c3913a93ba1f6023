"""h2spec's cases on raw frames, ordered by the sections of RFC 9113 and RFC 7541.

`test_refusals` and `test_header_blocks` have the cases that are not repeated here. h2spec tests RFC
7540: RFC 9113 ignores a stream that depends on itself (5.3.1), and allows a stream error for frames
on a closed stream (5.1).
"""

import pytest
from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.header_blocks import encode

from .raw_client import BLOCK, RawClient

DATA, HEADERS, PRIORITY, RST_STREAM = range(4)
SETTINGS, PING, GOAWAY = frames.SETTINGS, frames.PING, frames.GOAWAY
WINDOW_UPDATE, CONTINUATION = frames.WINDOW_UPDATE, frames.CONTINUATION
END_STREAM, END_HEADERS = frames.END_STREAM, frames.END_HEADERS
frame = frames.frame
ALL = END_STREAM | END_HEADERS

FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/")]
OPEN = frame(HEADERS, END_HEADERS, 1, BLOCK)
HALF_CLOSED = frame(HEADERS, ALL, 1, BLOCK)
CANCEL = frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
WEIGHT = b"\0\0\0\0\xff"
PROBE = frame(PING, 0, 0, b"probe...")
NO_WINDOW = frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0")


def settings(*pairs):
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs)
    return frame(SETTINGS, 0, 0, payload)


def block_of(*fields):
    return frame(HEADERS, ALL, 1, encode(fields))


@pytest.fixture
def held(serve):
    """Give a client of a server that answers no request."""
    served = serve()
    served.app.holds = True
    return RawClient(served)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frame(0x42, 0, 0, b"x" * 8), id="4.1 an unknown frame type"),
        pytest.param(frame(PING, 0x16, 0, b"flagged."), id="4.1 undefined flags"),
        pytest.param(frame(PING, 0, 2**31, b"reserved"), id="4.1 the reserved bit"),
        pytest.param(frame(PRIORITY, 0, 1, WEIGHT), id="5.1 PRIORITY on an idle stream"),
        pytest.param(HALF_CLOSED + frame(PRIORITY, 0, 1, WEIGHT), id="5.1 PRIORITY, half-closed"),
        pytest.param(HALF_CLOSED + CANCEL, id="5.1 RST_STREAM, half-closed"),
        pytest.param(OPEN + CANCEL + frame(PRIORITY, 0, 1, WEIGHT), id="5.1 PRIORITY, closed"),
        pytest.param(OPEN + CANCEL + frames.window_update(1, 9), id="5.1 WINDOW_UPDATE, closed"),
        pytest.param(OPEN + CANCEL + CANCEL, id="5.1 RST_STREAM, closed"),
        pytest.param(frame(PRIORITY, 0, 1, b"\0\0\0\1\0"), id="5.3 a dependency on itself"),
        pytest.param(OPEN + CANCEL, id="6.4 RST_STREAM, open"),
        pytest.param(settings((0xFF, 1), (0x7777, 2**32 - 1)), id="6.5.2 unknown settings"),
        pytest.param(settings((2, 1), (4, 2**31 - 1), (5, 2**24 - 1)), id="6.5.2 largest values"),
        pytest.param(frame(GOAWAY, 0, 0, b"\0" * 8), id="6.8 GOAWAY"),
        pytest.param(frames.window_update(0, 2**31 - 1 - 65_535), id="6.9 the largest window"),
        pytest.param(frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\xff"), id="7 GOAWAY, unknown code"),
        pytest.param(OPEN + frame(RST_STREAM, 0, 1, b"\xff" * 4), id="7 RST_STREAM, unknown code"),
    ],
)
def test_a_frame_is_accepted(held, sent):
    held.send(sent + PROBE)
    while b"probe..." not in [payload for kind, _, _, payload in held.frames if kind == PING]:
        assert held.receive(), held.frames
    assert GOAWAY not in [kind for kind, _, _, _ in held.frames]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(BLOCK, id="6.2 literals that are never indexed"),
        pytest.param(bytes([0x83, 0x86, 0x84]), id="6.1 indexed fields"),
        pytest.param(b"\x83\x86\x84\x53\x03a/b", id="6.2.1 incremental indexing, indexed name"),
        pytest.param(b"\x83\x86\x84\x40\x01k\x01v", id="6.2.1 incremental indexing, new name"),
        pytest.param(b"\x83\x86\x84\x0f\x04\x03a/b", id="6.2.2 without indexing, indexed name"),
        pytest.param(b"\x83\x86\x84\x00\x01k\x01v", id="6.2.2 without indexing, new name"),
        pytest.param(b"\x83\x86\x84\x10\x01k\x01v", id="6.2.3 never indexed, new name"),
        pytest.param(b"\x20\x3f\xe1\x1f\x83\x86\x84", id="6.3 two table size updates"),
        pytest.param(b"\x83\x86\x84\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x9f", id="5.2 Huffman"),
    ],
)
def test_a_header_block_of_hpack_is_accepted(serve, block):
    client = RawClient(serve())
    client.send(client.request(1, b"body", block))
    assert client.until(DATA) == b"body"


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\xc6", id="2.3.3 an index beyond the tables"),
        pytest.param(b"\x7f\x07\x01v", id="2.3.3 a literal with such an index"),
        pytest.param(b"\x20", id="4.2 a table size update at the end of a block"),
        pytest.param(
            b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff",
            id="5.2 padding of 8 bits",
        ),
        pytest.param(b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90", id="5.2 padding of zeros"),
        pytest.param(b"\x00\x85\xf2\xb2\x4a\x87\xff\xff\xff\xfd\x25\x42\x7f", id="5.2 EOS"),
        pytest.param(b"\x80", id="6.1 index 0"),
        pytest.param(b"\x00\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x7f", id="5.1 an endless integer"),
        pytest.param(b"\x00\x05abc", id="5.2 a string that is cut short"),
    ],
)
def test_a_block_that_cannot_be_decoded_ends_the_connection(held, block):
    held.send(frame(HEADERS, ALL, 1, bytes([0x83, 0x86, 0x84]) + block))
    assert held.refused()[0] == "COMPRESSION_ERROR"


def test_a_dynamic_table_larger_than_allowed_ends_the_connection(held):
    held.send(frame(HEADERS, ALL, 1, b"\x3f\xe2\x1f\x83\x86\x84"))  # 4097
    assert held.refused()[0] == "COMPRESSION_ERROR"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(HEADERS, ALL, 1, b"\0" * 65_537), "FRAME_SIZE_ERROR", id="4.2 HEADERS"),
        pytest.param(
            frame(HEADERS, END_STREAM, 1, BLOCK) + frame(PRIORITY, 0, 1, WEIGHT),
            "PROTOCOL_ERROR",
            id="4.3 PRIORITY within a header block",
        ),
        pytest.param(
            frame(HEADERS, END_STREAM, 1, BLOCK) + frame(HEADERS, ALL, 3, BLOCK),
            "PROTOCOL_ERROR",
            id="4.3 HEADERS within a header block",
        ),
        pytest.param(
            HALF_CLOSED + frame(CONTINUATION, END_HEADERS, 1, BLOCK),
            "PROTOCOL_ERROR",
            id="5.1 CONTINUATION, half-closed",
        ),
        pytest.param(OPEN + CANCEL + HALF_CLOSED, "STREAM_CLOSED", id="5.1 HEADERS, closed"),
        pytest.param(
            OPEN + CANCEL + frame(CONTINUATION, END_HEADERS, 1, BLOCK),
            "PROTOCOL_ERROR",
            id="5.1 CONTINUATION, closed",
        ),
        pytest.param(
            frame(HEADERS, ALL, 5, BLOCK) + frame(HEADERS, ALL, 3, BLOCK),
            "PROTOCOL_ERROR",
            id="5.1.1 a smaller identifier that was never used",
        ),
        pytest.param(
            frame(HEADERS, ALL, 5, BLOCK) + frame(DATA, 0, 1, b"x"),
            "PROTOCOL_ERROR",
            id="5.1.1 DATA on a skipped identifier",
        ),
        pytest.param(frame(PING, 0, 0, b"1234567"), "FRAME_SIZE_ERROR", id="5.4.1 a short PING"),
        pytest.param(
            frame(SETTINGS, 0, 0, b"\0\2\0\0\0\2"), "PROTOCOL_ERROR", id="6.5.2 ENABLE_PUSH"
        ),
        pytest.param(settings((5, 16_383)), "PROTOCOL_ERROR", id="6.5.2 a small MAX_FRAME_SIZE"),
        pytest.param(settings((5, 2**24)), "PROTOCOL_ERROR", id="6.5.2 a large MAX_FRAME_SIZE"),
        pytest.param(
            frames.window_update(0, 2**31 - 1) + frames.window_update(0, 1),
            "FLOW_CONTROL_ERROR",
            id="6.9.1 a connection window that is too large",
        ),
        pytest.param(
            frame(HEADERS, END_STREAM, 1, BLOCK) + frame(CONTINUATION, END_HEADERS, 0, b""),
            "PROTOCOL_ERROR",
            id="6.10 CONTINUATION on stream 0",
        ),
        pytest.param(
            frame(HEADERS, END_STREAM, 1, BLOCK) + frame(CONTINUATION, END_HEADERS, 1) * 2,
            "PROTOCOL_ERROR",
            id="6.10 CONTINUATION after a complete block",
        ),
        pytest.param(
            OPEN + frame(DATA, END_STREAM, 1, b"x") + frame(CONTINUATION, END_HEADERS, 1, b""),
            "PROTOCOL_ERROR",
            id="6.10 CONTINUATION after DATA",
        ),
    ],
)
def test_a_frame_ends_the_connection(held, sent, code):
    held.send(sent)
    assert held.refused()[0] == code


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(
            OPEN + CANCEL + frame(DATA, 0, 1, b"x"), "STREAM_CLOSED", id="5.1 DATA, closed"
        ),
        pytest.param(
            OPEN + frames.window_update(1, 2**31 - 1) + frames.window_update(1, 1),
            "FLOW_CONTROL_ERROR",
            id="6.9.1 a stream window that is too large",
        ),
        pytest.param(
            OPEN + frame(HEADERS, ALL, 1, encode([(b":path", b"/")])),
            "PROTOCOL_ERROR",
            id="8.1 a pseudo-header field in trailers",
        ),
        *(
            pytest.param(block_of(*fields), "PROTOCOL_ERROR", id=name)
            for name, fields in {
                "8.2.1 an upper case name": [*FIELDS, (b"X-Test", b"ok")],
                "8.2.2 connection": [*FIELDS, (b"connection", b"keep-alive")],
                "8.2.2 te": [*FIELDS, (b"te", b"gzip")],
                "8.3 an unknown pseudo-header field": [*FIELDS, (b":test", b"ok")],
                "8.3 a pseudo-header field of responses": [*FIELDS, (b":status", b"200")],
                "8.3 a late pseudo-header field": [FIELDS[0], FIELDS[1], (b"k", b"v"), FIELDS[2]],
                "8.3.1 an empty path": [*FIELDS[:2], (b":path", b"")],
                "8.3.1 no method": FIELDS[1:],
                "8.3.1 no scheme": [FIELDS[0], FIELDS[2]],
                "8.3.1 no path": FIELDS[:2],
                "8.3.1 two methods": [FIELDS[0], *FIELDS],
                "8.3.1 two schemes": [FIELDS[1], *FIELDS],
                "8.3.1 two paths": [FIELDS[2], *FIELDS],
            }.items()
        ),
    ],
)
def test_a_frame_resets_its_stream(held, sent, code):
    held.send(sent)
    assert held.reset(1) == code
    held.send(PROBE)
    assert held.until(PING) == b"probe..."


# Messages and windows.


def test_the_largest_frame_is_accepted(serve):
    """4.2."""
    client = RawClient(serve())
    client.send(client.request(1, b"x" * 65_536))
    first = client.until(DATA)
    assert len(first) == 16_384


def test_settings_are_acknowledged_and_their_last_value_counts(serve):
    """6.5.3."""
    client = RawClient(serve())
    client.send(settings((4, 100), (4, 1)) + client.request(1, b"xy"))
    assert client.until(DATA) == b"x"
    acknowledged = [n for kind, flags, n, _ in client.frames if (kind, flags) == (SETTINGS, 1)]
    assert acknowledged == [0, 0]


def test_the_answer_to_a_ping_is_not_answered(held):
    """6.7."""
    held.send(frame(PING, frames.ACK, 0, b"answered") + PROBE)
    assert held.until(PING) == b"probe..."


@pytest.mark.parametrize("between", [b"", frame(PRIORITY, 0, 1, WEIGHT)])
def test_a_window_for_a_half_closed_stream_is_used(serve, between):
    """5.1, 6.9.1."""
    client = RawClient(serve())
    client.send(NO_WINDOW + client.request(1, b"xyz") + between + frames.window_update(1, 1))
    assert client.until(DATA) == b"x"


def test_a_window_may_become_negative(serve):
    """6.9.2."""
    client = RawClient(serve())
    client.send(settings((4, 3)) + client.request(1, b"x" * 9))
    assert client.until(DATA) == b"xxx"
    client.send(settings((4, 2)) + PROBE)
    client.until(PING)
    client.send(frames.window_update(1, 1) + frame(PING, 0, 0, b"nothing."))
    client.until(PING, nth=2)
    assert [len(p) for kind, _, _, p in client.frames if kind == DATA] == [3]
    client.send(frames.window_update(1, 2))
    assert client.until(DATA, nth=2) == b"xx"


def test_a_header_block_of_many_frames_is_one_block(serve):
    """6.10."""
    client = RawClient(serve())
    parts = [BLOCK[at : at + 7] for at in range(0, len(BLOCK), 7)]
    client.send(frame(HEADERS, 0, 1, parts[0]))
    for part in parts[1:]:
        client.send(frame(CONTINUATION, 0, 1, part))
    client.send(frame(CONTINUATION, END_HEADERS, 1) + frame(DATA, END_STREAM, 1, b"body"))
    assert client.until(DATA) == b"body"


def test_a_body_in_parts_with_padding_and_trailers_is_one_body(serve):
    """8.1."""
    client = RawClient(serve())
    padded = frame(DATA, frames.PADDED, 1, b"\x03bo\0\0\0")
    trailers = frame(HEADERS, ALL, 1, encode([(b"k", b"v")]))
    client.send(OPEN + padded + frame(DATA, 0, 1, b"dy") + trailers)
    assert client.until(DATA) == b"body"


@pytest.mark.parametrize("parts", [[b"abc", b"d"], [b"a"]])
def test_the_parts_of_a_body_are_as_long_as_content_length_says(serve, parts):
    """8.1.1."""
    client = RawClient(serve())
    client.send(frame(HEADERS, END_HEADERS, 1, encode([*FIELDS, (b"content-length", b"3")])))
    *first, last = parts
    client.send(b"".join(frame(DATA, 0, 1, part) for part in first))
    client.send(frame(DATA, END_STREAM, 1, last))
    assert client.reset(1) == "PROTOCOL_ERROR"
