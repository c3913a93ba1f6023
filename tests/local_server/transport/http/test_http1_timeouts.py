"""Idle connections are closed, but only while the server waits for the client."""

from __future__ import annotations

import asyncio

import pytest
from cloudserve.local_server.transport.http.flow_control import IdleTimer
from cloudserve.local_server.transport.limits import Limits
from cloudserve.local_server.transport.types import ClientGoneError, Response

from ..conftest import App, echo, ok

SHORT = 0.05
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: h\r\n"


def test_an_idle_connection_is_closed_without_a_word(serve):
    running = serve(echo, idle_seconds=SHORT)
    assert running.ask(b"") == b""
    assert running.ask(GET) == ok(b"GET / b''")
    assert running.ask(b"\r\n\r\n") == b""


def test_a_head_that_does_not_end_is_408(serve):
    answer = serve(echo, header_seconds=SHORT).ask(b"GET / HTTP/1.1\r\nHost: h\r\nA: ")
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b'{"error": "the request did not come to its end in time"}')


def test_a_head_byte_by_byte_does_not_win_time(serve):
    """The time counts from a head's first byte: else a byte a minute holds a connection."""
    running = serve(echo, header_seconds=SHORT)
    wire = running.connect()
    wire.socket.settimeout(SHORT / 4)
    for byte in b"GET / HTTP/1.1\r\nA: " + b"a" * 10_000:
        wire.send(bytes([byte]))
        try:
            if data := wire.socket.recv(100):
                break
        except TimeoutError:
            continue
    assert data.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n2\r\na"]
)
def test_a_collected_body_that_stalls_is_408(serve, body):
    answer = serve(echo, stall_seconds=SHORT).ask(PUT + body)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_streamed_body_that_stalls_is_408_and_reported_to_its_reader(serve):
    errors = []

    async def answer(request):
        try:
            return Response(200, await request.stream.read(10))
        except ClientGoneError as error:
            errors.append(str(error))
            raise

    running = serve(App(answer, limit=None), stall_seconds=SHORT)
    response = running.ask(PUT + b"Content-Length: 5\r\n\r\nab")
    assert response.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert response.count(b"HTTP/1.1") == 1
    running.settle()
    assert errors == ["the request did not come to its end in time"]


def test_the_rest_of_an_answered_body_that_stalls_is_closed(serve):
    app = App(lambda _: Response(200, b"", "text/plain"), limit=None)
    answer = serve(app, stall_seconds=SHORT).ask(PUT + b"Content-Length: 5\r\n\r\nab")
    assert answer == ok(b"")


def test_a_handlers_time_is_its_own(serve):
    gate = asyncio.Event()

    async def answer(request):
        await gate.wait()
        return echo(request)

    running = serve(
        answer, idle_seconds=SHORT, header_seconds=SHORT, stall_seconds=SHORT, linger_seconds=SHORT
    )
    slow, other = running.connect(), running.connect()
    slow.send(GET)
    # An idle connection's end tells that the time is over by which the other must not be judged.
    assert other.read_to_end() == b""
    running.loop.call_soon_threadsafe(gate.set)
    assert slow.read_response() == ok(b"GET / b''")


def test_a_client_that_waits_for_its_invitation_does_not_stall(serve):
    gate = asyncio.Event()

    async def answer(request):
        await gate.wait()
        return Response(200, await request.stream.read(10), "text/plain")

    running = serve(App(answer, limit=None), idle_seconds=SHORT, stall_seconds=SHORT)
    slow, other = running.connect(), running.connect()
    slow.send(PUT + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert other.read_to_end() == b""
    running.loop.call_soon_threadsafe(gate.set)
    assert slow.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    slow.send(b"abc")
    assert slow.read_response() == ok(b"abc")


def test_a_client_that_takes_nothing_of_its_answer_is_disconnected(serve):
    running = serve(lambda _: Response(200, bytes(32 << 20)), stall_seconds=SHORT)
    wire = running.connect()
    wire.send(GET)
    wire.read_until(b"\r\n\r\n")
    assert running.settle() == 0


def test_a_slow_but_steady_reader_is_not_disconnected_until_it_stalls(serve):
    running = serve(lambda _: Response(200, bytes(80 << 20)), stall_seconds=60)
    wire = running.connect()
    wire.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    wire.read_until(b"\r\n\r\n")

    async def sweep(now: float) -> int:
        running.server._state._sweeper.cancel()
        for connection in running.server._state.connections:
            connection.sweep(now)
        return running.server.connections

    start = running.loop.time()
    for turn in range(4):  # each turn reads more than the kernel's buffers hold
        assert running.run(sweep(start + 50 * turn)) == 1
        wire.read_exactly(16 << 20)
    for turn in range(3):
        running.run(sweep(start + 200 + 61 * turn))
    assert running.settle() == 0


def test_a_refused_client_that_neither_reads_nor_leaves_is_disconnected(serve):
    running = serve(echo, linger_seconds=SHORT)
    wire = running.connect()
    wire.send(b"nonsense\r\n\r\n")
    wire.read_response()
    assert running.settle() == 0


def test_a_watch_counts_from_the_sweep_that_saw_the_last_move():
    watch = IdleTimer()
    assert not watch.overdue(10.0, 1.0)
    assert not watch.overdue(11.0, 1.0)
    watch.moved = True
    assert not watch.overdue(11.5, 1.0)
    assert not watch.overdue(12.5, 1.0)
    assert watch.overdue(12.6, 1.0)


@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_is_more_than_nothing(value):
    with pytest.raises(ValueError, match=r"Limits\.idle_seconds must be more than 0"):
        Limits(idle_seconds=value)
