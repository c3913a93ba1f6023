"""Requests that begin when their bodies have arrived: all of one read together."""

import pytest
from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.header_blocks import encode

from .raw_client import BLOCK, GREETING, RawClient

DATA, HEADERS = frames.DATA, frames.HEADERS
END_HEADERS, END_STREAM = frames.END_HEADERS, frames.END_STREAM
LENGTH = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b"content-length", b"3")]
SIZED = encode(LENGTH)


def head(number, block=BLOCK):
    return frames.frame(HEADERS, END_HEADERS, number, block)


def body(number, content=b"abc", *, end=True):
    return frames.frame(DATA, END_STREAM if end else 0, number, content)


@pytest.fixture
def served(serve):
    return serve()


@pytest.fixture
def client(served):
    """Connect a client whose two header blocks the server knows: later ones may wait."""
    client = RawClient(served, GREETING + head(1) + body(1) + head(3, SIZED) + body(3))
    client.until(HEADERS, 2, number=3)
    served.app.together.clear()
    return client


def synchronize(client):
    """Wait until the server has handled all that was sent."""
    client.send(frames.ping(b"handled?"))
    client.until(frames.PING)


def test_heads_and_then_bodies_of_one_read_begin_together(served, client):
    client.send(head(5) + head(7) + head(9) + body(7, b"7") + body(5, b"5") + body(9, b""))
    answers = [client.until(DATA, number=number) for number in (5, 7, 9)]
    assert answers == [b"5", b"7", b""]
    assert served.app.together == [[7, 5, 9]]


def test_a_request_waits_for_its_body_until_another_read(served, client):
    client.send(head(5))
    synchronize(client)
    assert 5 not in served.app.requests
    client.send(body(5))
    assert client.until(DATA, number=5) == b"abc"


def test_a_body_in_parts_begins_the_request_with_the_first(served, client):
    client.send(head(5) + body(5, b"ab", end=False))
    synchronize(client)
    assert served.app.requests[5].parts == [b"ab"]
    client.send(body(5, b"c"))
    assert client.until(DATA, number=5) == b"abc"


def test_trailers_begin_and_end_a_request_without_a_body(served, client):
    client.send(head(5) + frames.header_frames(5, b"", end=True, max_size=100))
    assert client.until(DATA, number=5) == b""


def test_a_request_that_is_reset_first_never_begins(served, client):
    client.send(head(5) + frames.rst_stream(5, frames.ErrorCode.CANCEL) + head(7) + body(7))
    assert client.until(DATA, number=7) == b"abc"
    assert 5 not in served.app.requests
    assert served.app.aborted == []


def test_a_request_that_is_reset_behind_its_body_has_begun(served, client):
    served.app.holds = True
    client.send(head(5) + body(5) + frames.rst_stream(5, frames.ErrorCode.CANCEL))
    synchronize(client)
    assert served.app.aborted == [5]


@pytest.mark.parametrize("content", [b"ab", b"abcd", b""])
def test_a_body_of_another_length_than_announced_is_refused(served, client, content):
    client.send(head(5, SIZED) + body(5, content))
    assert client.reset(5) == "PROTOCOL_ERROR"


def test_bodies_count_against_the_windows(served, client):
    client.send(head(5) + body(5, bytes(60_000)))
    client.until(DATA, number=5)
    connection = next(iter(served.state.connections))
    before = served.app.together.copy()
    assert before == [[5]]
    limits = served.state.limits
    # Two bodies of one byte were sent before.
    assert connection._in._window._left == limits.connection_window - 60_006


def test_a_connection_of_few_streams_refuses_those_that_wait_as_well(serve):
    served = serve(streams=2)
    client = RawClient(served)
    client.send(head(1) + body(1))
    client.until(HEADERS, 2, number=1)
    client.send(head(3) + head(5) + head(7))
    assert client.reset(7) == "REFUSED_STREAM"


def test_a_request_whose_body_does_not_come_is_reset(serve):
    served = serve(stall_seconds=5.0)
    client = RawClient(served)
    client.send(head(1) + body(1))
    client.until(HEADERS, 2, number=1)
    client.send(head(3))
    synchronize(client)
    served.sweep(1.0)  # notes the progress so far
    served.sweep(7.0)
    assert client.reset(3) == "CANCEL"
    assert 3 not in served.app.requests


@pytest.mark.parametrize("number", [1, 4])
def test_numbers_are_checked(served, client, number):
    client.send(head(number))
    assert client.refused()[0] in {"PROTOCOL_ERROR", "STREAM_CLOSED"}


def test_a_frame_within_a_header_block_ends_the_connection(served, client):
    client.send(head(5) + frames.frame(HEADERS, 0, 7, BLOCK) + body(5))
    assert client.refused() == ("PROTOCOL_ERROR", "a header block is interrupted")


def test_a_changed_table_makes_equal_bytes_another_request(serve):
    served = serve()
    indexed = bytes.fromhex("40") + b"\x01k\x01v"  # a literal that the table keeps
    last = b"\xbe"  # the last entry of the table
    client = RawClient(served)
    client.send(head(1, BLOCK + indexed) + body(1) + head(3, BLOCK + last) + body(3))
    client.send(head(5, BLOCK + last) + body(5))
    other = bytes.fromhex("40") + b"\x01k\x01w"
    client.send(head(7, BLOCK + other) + body(7) + head(9, BLOCK + last) + body(9))
    client.until(DATA, number=9)
    fields = {number: dict(echo.head.fields) for number, echo in served.app.requests.items()}
    assert [fields[number][b"k"] for number in (1, 3, 5, 7, 9)] == [b"v", b"v", b"v", b"w", b"w"]
