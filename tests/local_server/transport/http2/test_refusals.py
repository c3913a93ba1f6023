"""Refused frames, floods and timeouts. Source: RFC 9113."""

import contextlib
import logging

import pytest
from cloudserve.local_server.transport.http2.limits import Http2Limits, Rate
from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.header_blocks import encode
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from .raw_client import BLOCK, GREETING, RawClient

DATA, HEADERS, SETTINGS, PING = frames.DATA, frames.HEADERS, frames.SETTINGS, frames.PING
END_HEADERS, END_STREAM, ACK = frames.END_HEADERS, frames.END_STREAM, frames.ACK
frame = frames.frame
OPEN = frame(HEADERS, END_HEADERS, 1, BLOCK)
CLOSED = OPEN + frame(DATA, END_STREAM, 1, b"x")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(DATA, 0, 0, b"x"), "PROTOCOL_ERROR"),
        (frame(DATA, 0, 1, b"x"), "PROTOCOL_ERROR"),
        (frame(HEADERS, END_HEADERS, 0, BLOCK), "PROTOCOL_ERROR"),
        (frame(HEADERS, END_HEADERS, 2, BLOCK), "PROTOCOL_ERROR"),
        (frame(HEADERS, 0, 1, BLOCK) + frame(DATA, 0, 1, b"x"), "PROTOCOL_ERROR"),
        (frame(HEADERS, 0, 1, BLOCK) + frame(0x42, 0, 1, b""), "PROTOCOL_ERROR"),
        (frame(HEADERS, 0, 1, b"") + frame(frames.CONTINUATION, 4, 3, BLOCK), "PROTOCOL_ERROR"),
        (frame(frames.CONTINUATION, END_HEADERS, 1, BLOCK), "PROTOCOL_ERROR"),
        (frame(HEADERS, END_HEADERS | frames.PADDED, 1, b"\x09" + BLOCK[:5]), "PROTOCOL_ERROR"),
        (frame(HEADERS, END_HEADERS | frames.PADDED, 1, b""), "FRAME_SIZE_ERROR"),
        (frame(HEADERS, END_HEADERS | frames.HAS_PRIORITY, 1, b"1234"), "FRAME_SIZE_ERROR"),
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"), "COMPRESSION_ERROR"),
        (OPEN + frame(DATA, frames.PADDED, 1, b"\x05abc"), "PROTOCOL_ERROR"),
        (frame(frames.PRIORITY, 0, 0, b"12345"), "PROTOCOL_ERROR"),
        (frame(frames.PRIORITY, 0, 1, b"1234"), "FRAME_SIZE_ERROR"),
        (frame(frames.RST_STREAM, 0, 0, b"1234"), "PROTOCOL_ERROR"),
        (frame(frames.RST_STREAM, 0, 1, b"1234"), "PROTOCOL_ERROR"),
        (OPEN + frame(frames.RST_STREAM, 0, 1, b"123"), "FRAME_SIZE_ERROR"),
        (frame(SETTINGS, 0, 1, b""), "PROTOCOL_ERROR"),
        (frame(SETTINGS, ACK, 0, b"123456"), "FRAME_SIZE_ERROR"),
        (frame(SETTINGS, 0, 0, b"12345"), "FRAME_SIZE_ERROR"),
        (frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0"), "FLOW_CONTROL_ERROR"),
        (frame(frames.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2"), "PROTOCOL_ERROR"),
        (frame(PING, 0, 1, b"12345678"), "PROTOCOL_ERROR"),
        (frame(PING, 0, 0, b"1234567"), "FRAME_SIZE_ERROR"),
        (frame(frames.GOAWAY, 0, 1, b"12345678"), "PROTOCOL_ERROR"),
        (frame(frames.GOAWAY, 0, 0, b"1234567"), "FRAME_SIZE_ERROR"),
        (frame(frames.WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), "PROTOCOL_ERROR"),
        (frame(frames.WINDOW_UPDATE, 0, 0, b"\0\0\0"), "FRAME_SIZE_ERROR"),
        (frame(frames.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), "FLOW_CONTROL_ERROR"),
        (frame(frames.WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), "PROTOCOL_ERROR"),
        (frames.head(DATA, 0, 1, 65_537), "FRAME_SIZE_ERROR"),
        (
            OPEN + frames.window_update(1, 1) + frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff"),
            "FLOW_CONTROL_ERROR",
        ),
    ],
)
def test_a_connection_ends_with_goaway_and_the_code(serve, sent, code):
    client = RawClient(serve())
    client.send(sent)
    assert client.refused()[0] == code


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (CLOSED + frame(DATA, 0, 1, b"x"), "STREAM_CLOSED"),
        (CLOSED + OPEN, "STREAM_CLOSED"),
        (OPEN + OPEN, "PROTOCOL_ERROR"),
        (OPEN + frame(HEADERS, END_HEADERS | END_STREAM, 1, BLOCK), "PROTOCOL_ERROR"),
        (OPEN + frame(frames.WINDOW_UPDATE, 0, 1, b"\0\0\0\0"), "PROTOCOL_ERROR"),
        (OPEN + frame(frames.WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"), "FLOW_CONTROL_ERROR"),
        (OPEN + frame(frames.PRIORITY, 0, 1, b"1234"), "FRAME_SIZE_ERROR"),
        (frame(HEADERS, END_HEADERS, 1, encode([(b":method", b"POST")])), "PROTOCOL_ERROR"),
    ],
)
def test_a_stream_is_reset_with_the_code_and_the_others_live(serve, sent, code):
    served = serve()
    served.app.holds = True
    client = RawClient(served)
    client.send(sent)
    assert client.reset(1) == code
    served.app.holds = False
    client.send(client.request(3))
    assert client.until(DATA, number=3) == b"x"


@pytest.mark.parametrize(
    ("length", "body", "is_right"),
    [(b"3", b"abc", True), (b"3", b"ab", False), (b"3", b"abcd", False)],
)
def test_a_body_is_as_long_as_content_length_says(serve, length, body, is_right):
    client = RawClient(serve())
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/")]
    client.send(client.request(1, body, encode([*fields, (b"content-length", length)])))
    if is_right:
        assert client.until(DATA) == body
    else:
        assert client.reset(1) == "PROTOCOL_ERROR"


@pytest.mark.parametrize(
    "greeting",
    [
        frames.PREFACE + frame(PING, 0, 0, b"12345678"),
        frames.PREFACE + frame(SETTINGS, ACK, 0),
        frames.PREFACE + OPEN,
    ],
)
def test_the_first_frame_is_settings(serve, greeting):
    client = RawClient(serve(), greeting)
    assert client.refused() == ("PROTOCOL_ERROR", "the first frame is not SETTINGS")


@pytest.mark.parametrize(
    "greeting", [b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nXX", b"\x16\3\1"]
)
def test_a_client_of_another_protocol_is_disconnected(serve, greeting):
    client = RawClient(serve(), greeting)
    with contextlib.suppress(ConnectionResetError):
        client.to_end()
    assert frames.GOAWAY not in [kind for kind, _, _, _ in client.frames]


# Floods.


def test_more_streams_than_allowed_are_refused_so_that_they_may_be_repeated(serve):
    served = serve(streams=2)
    served.app.holds = True
    client = RawClient(served)
    client.send(b"".join(client.request(number) for number in (1, 3, 5)))
    assert client.reset(5) == "REFUSED_STREAM"
    assert sorted(served.app.requests) == [1, 3]
    served.app.holds = False
    served.call(served.app.requests[1].answer)
    client.until(DATA, number=1)
    client.send(client.request(7))
    assert client.until(DATA, number=7) == b"x"


CALM = "ENHANCE_YOUR_CALM"
FEW = Rate(20, 1e-9)


@pytest.mark.parametrize(
    ("limit", "flood", "said"),
    [
        ("pings", lambda n: frame(PING, 0, 0, b"12345678"), "too many PING frames"),
        ("settings", lambda n: frame(SETTINGS, 0, 0), "too many SETTINGS frames"),
        ("idle_frames", lambda n: frame(DATA, 0, 1), "too many frames without effect"),
        (
            "idle_frames",
            lambda n: frame(frames.PRIORITY, 0, 1, b"12345"),
            "too many frames without effect",
        ),
        ("idle_frames", lambda n: frame(0x42, 0, 1), "too many frames without effect"),
        (
            "resets",
            lambda n: (
                frame(HEADERS, END_HEADERS, n, BLOCK)
                + frame(frames.RST_STREAM, 0, n, b"\0\0\0\x08")
            ),
            "too many resets",
        ),
        (
            "resets",
            lambda n: frame(HEADERS, END_HEADERS, n, encode([(b"a", b"b")])),
            "too many resets",
        ),
    ],
)
def test_a_flood_ends_its_connection(serve, limit, flood, said):
    client = RawClient(serve(**{limit: FEW}))
    client.send(OPEN + b"".join(flood(number) for number in range(3, 63, 2)))
    assert client.refused() == (CALM, said)


def test_a_client_that_widens_a_tiny_window_byte_by_byte_is_refused(serve):
    served = serve(idle_frames=FEW)
    served.app.extra = 1000
    client = RawClient(served)
    client.send(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + client.request(1))
    client.send(frames.window_update(1, 1) * 5)
    client.until(DATA, number=1)
    for _ in range(30):
        client.send(frames.window_update(1, 1))
    assert client.refused() == (CALM, "too many frames without effect")


def test_a_client_may_widen_a_large_window_byte_by_byte(serve):
    """As grpcio's does, thousands of times a second."""
    client = RawClient(serve(idle_frames=FEW))
    client.send(b"".join(frames.window_update(0, 1) for _ in range(30)))
    client.send(client.request(1))
    assert client.until(DATA, number=1) == b"x"


def test_a_header_block_without_an_end_is_refused(serve):
    client = RawClient(serve())
    more = frame(frames.CONTINUATION, 0, 1, b"")
    client.send(frame(HEADERS, 0, 1, BLOCK) + more * 40)
    assert client.refused() == (CALM, "the header block is too large")
    client = RawClient(serve())
    more = frame(frames.CONTINUATION, 0, 1, b"\0" * 60_000)
    client.send(frame(HEADERS, 0, 1, BLOCK) + more * 2)
    assert client.refused() == (CALM, "the header block is too large")


def test_a_client_that_does_not_read_is_sent_no_more_than_the_buffer(serve):
    served = serve(write_buffer=10_000)
    served.app.extra = 1_000_000
    client = RawClient(served)
    client.send(frames.window_update(0, 2**30) + frame(SETTINGS, 0, 0, b"\0\4\x40\0\0\0"))
    count = 40
    client.send(b"".join(client.request(n) for n in range(1, 2 * count, 2)))
    client.send(frame(PING, 0, 0, b"12345678"))
    while len(served.app.ended) < count:
        served.call(lambda: None)
    (connection,) = served.call(tuple, served.state.connections)
    held = served.call(connection._transport.get_write_buffer_size)
    assert held < 10_000 + 65_536
    # The client reads, and receives everything.
    ended = 0
    while ended < count:
        assert client.receive()
        ended = sum(
            1 for kind, flags, _, _ in client.frames if kind == HEADERS and flags & END_STREAM
        )


def test_a_client_that_reads_nothing_is_disconnected(serve):
    served = serve(write_buffer=10_000)
    served.app.extra = 8_000_000
    client = RawClient(served)
    client.send(frames.window_update(0, 2**30) + frame(SETTINGS, 0, 0, b"\0\4\x40\0\0\0"))
    client.send(client.request(1) + client.request(3))
    while len(served.app.ended) < 2:
        served.call(lambda: None)
    (connection,) = served.call(tuple, served.state.connections)
    while not connection._out.paused:
        served.call(lambda: None)
    served.sweep(0.0)
    served.sweep(59.0)
    assert served.state.connections
    served.sweep(61.0)
    served.do(served.state.quiet())
    assert served.app.aborted == [1, 3]


def test_control_frames_for_a_client_that_does_not_read_are_bounded(serve):
    served = serve(write_buffer=10_000, pings=Rate(10**6, 1.0), control_buffer=1000)
    served.app.extra = 8_000_000
    client = RawClient(served)
    client.send(frames.window_update(0, 2**30) + frame(SETTINGS, 0, 0, b"\0\4\x40\0\0\0"))
    client.send(client.request(1))
    client.until(SETTINGS)
    (connection,) = served.call(tuple, served.state.connections)
    while not connection._out.paused:
        served.call(lambda: None)
    client.send(frame(PING, 0, 0, b"12345678") * 100)
    while not served.app.aborted:
        served.call(lambda: None)
    client.socket.close()


# Timeouts.


def test_overdue_connections_are_closed(serve):
    served = serve()
    silent = RawClient(served, b"")
    greeted = RawClient(served)
    halfway = RawClient(served, GREETING + frame(HEADERS, 0, 1, BLOCK))
    for client in (greeted, halfway):
        client.until(SETTINGS, nth=2)
    served.sweep(29.0)
    assert len(served.state.connections) == 3
    served.sweep(31.0)
    for client in (silent, halfway):
        with pytest.raises((ConnectionResetError, EOFError)):
            client.until(frames.GOAWAY)
    greeted.send(greeted.request(1))
    assert greeted.until(DATA) == b"x"


def test_a_request_whose_body_does_not_come_is_reset(serve):
    served = serve()
    client = RawClient(served)
    client.send(OPEN + frame(PING, 0, 0, b"12345678"))
    client.until(PING)
    served.sweep(0.0)
    served.sweep(59.0)
    assert served.app.aborted == []
    served.sweep(61.0)
    assert client.reset(1) == "CANCEL"
    assert served.app.aborted == [1]


def test_a_response_without_a_window_is_reset(serve):
    served = serve()
    client = RawClient(served, frames.PREFACE + frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0"))
    client.send(client.request(1))
    client.until(HEADERS)
    served.sweep(0.0)
    served.sweep(61.0)
    assert client.reset(1) == "CANCEL"


def test_an_idle_connection_is_closed_with_goaway(serve):
    served = serve(idle_seconds=100.0)
    client = RawClient(served)
    client.until(SETTINGS, nth=2)
    served.sweep(99.0)
    served.sweep(101.0)
    assert int.from_bytes(client.until(frames.GOAWAY)[:4], "big") == 2**31 - 1
    client.send(frames.ping(b"draining", ack=True))
    client.to_end()


def test_a_silent_client_is_pinged_and_disconnected_without_an_answer(serve):
    served = serve(keepalive_seconds=10.0, keepalive_timeout_seconds=5.0)
    alive, dead = RawClient(served), RawClient(served)
    for client in (alive, dead):
        client.until(SETTINGS, nth=2)
    served.sweep(0.0)
    served.sweep(11.0)
    assert alive.until(PING) == dead.until(PING) == b"are you?"
    alive.send(frames.ping(b"are you?", ack=True) + alive.request(1))
    alive.until(DATA)
    served.sweep(17.0)
    with pytest.raises((ConnectionResetError, EOFError)):
        dead.until(frames.GOAWAY)
    alive.send(alive.request(3))
    assert alive.until(DATA, number=3) == b"x"


# Arbitrary frames.


def any_frame():
    kinds = st.integers(0, 10)
    payload = st.binary(max_size=40) | st.just(BLOCK)
    return st.builds(frame, kinds, st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 5]), payload)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parts=st.lists(any_frame() | st.binary(max_size=30), max_size=12))
def test_no_frames_of_one_client_affect_another(serve_once, caplog, parts):
    caplog.set_level(logging.WARNING)
    client = RawClient(serve_once)
    client.send(b"".join(parts))
    other = RawClient(serve_once)
    other.send(other.request(1))
    assert other.until(DATA) == b"x"
    for each in (client, other):
        each.socket.close()
    assert not caplog.records


@pytest.fixture
def serve_once(serve):
    return serve()


@pytest.mark.parametrize(
    "changed",
    [
        {"streams": 0},
        {"frame_size": 100},
        {"connection_window": 1},
        {"stream_window": 65_534},
        {"stream_window": 2**31},
    ],
)
def test_invalid_limits_are_refused(changed):
    with pytest.raises(ValueError, match=f"Http2Limits.{next(iter(changed))} must be"):
        Http2Limits(**changed)
