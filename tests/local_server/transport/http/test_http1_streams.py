"""Streamed bodies: bounded, in order, and failed if they stop early."""

from __future__ import annotations

import asyncio
import hashlib
import select
import threading
import tracemalloc

import pytest
from cloudserve.local_server.transport.types import (
    BodyTooLargeError,
    ClientGoneError,
    Response,
)

from ..conftest import CLOSE, PATIENCE, App, ok

PUT = b"PUT / HTTP/1.1\r\nHost: h\r\n"
MIB = 1 << 20


def respond(text) -> Response:
    return Response(200, str(text).encode(), "text/plain")


async def read_all(request):
    return respond(await request.stream.read(1 << 30))


async def read_none(request):
    return respond("unread")


def read_none_at_once(request):
    return respond("unread")


class Gate:
    """A handler that begins to read on a signal, and records how it ended."""

    def __init__(self, loop) -> None:
        self.loop = loop
        self.opened = asyncio.Event()
        self.entered = threading.Event()
        self.ended = threading.Event()
        self.stream = None
        self.size = 0
        self.digest = hashlib.blake2b()
        self.error: BaseException | None = None

    async def __call__(self, request):
        self.stream = request.stream
        self.entered.set()
        await self.opened.wait()
        try:
            async for chunk in request.stream:
                self.size += len(chunk)
                self.digest.update(chunk)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()
        return respond(self.size)

    def open(self) -> None:
        self.loop.call_soon_threadsafe(self.opened.set)


def test_a_body_is_streamed_and_the_connection_kept(serve):
    wire = serve(App(read_all, limit=None)).connect()
    for _ in range(2):
        wire.send(PUT + b"Content-Length: 5\r\n\r\nhel")
        wire.send(b"lo")
        assert wire.read_response() == ok(b"b'hello'")
        wire.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
        assert wire.read_response() == ok(b"b'hello'")


@pytest.mark.parametrize("head", [PUT, PUT + b"Content-Length: 0\r\n"])
def test_no_body_is_an_empty_stream(serve, head):
    wire = serve(App(read_all, limit=None)).connect()
    for _ in range(2):
        wire.send(head + b"\r\n")
        assert wire.read_response() == ok(b"b''")


def test_the_application_is_asked_before_the_body_has_come(serve, loop):
    gate = Gate(loop)
    wire = serve(App(gate, limit=None)).connect()
    wire.send(PUT + b"Content-Length: 3\r\n\r\n")
    assert gate.entered.wait(PATIENCE)
    gate.open()
    wire.send(b"abc")
    assert wire.read_response() == ok(b"3")


def test_a_sender_is_held_back_while_nobody_reads(serve, loop):
    gate = Gate(loop)
    wire = serve(App(gate, limit=None), body_buffer=256 * 1024).connect()
    total, block = 64 * MIB, bytes(range(256)) * 256
    wire.send(PUT + b"Content-Length: %d\r\n\r\n" % total)
    assert gate.entered.wait(PATIENCE)
    sent = send_until_held(wire.socket, block, total)
    # What the kernel's two socket buffers take, and a buffer with one segment in the server.
    assert sent < 32 * MIB
    assert gate.stream._size <= 512 * 1024
    gate.open()
    wire.send((block * (total // len(block)))[sent:])
    assert wire.read_response() == ok(b"%d" % total)
    assert gate.digest.digest() == hashlib.blake2b(block * (total // len(block))).digest()


def send_until_held(sock, block: bytes, total: int) -> int:
    """Send until the socket takes no more for a while; return how many bytes went."""
    sent = 0
    sock.setblocking(False)
    while sent < total and select.select([], [sock], [], 0.3)[1]:
        at = sent % len(block)
        sent += sock.send(block[at : at + min(len(block), total - sent)])
    sock.settimeout(PATIENCE)
    return sent


def test_64_mib_stream_through_in_bounded_memory(serve, loop):
    gate = Gate(loop)
    wire = serve(App(gate, limit=None)).connect()
    block = bytes(MIB)
    gate.open()
    tracemalloc.start()
    try:
        wire.send(PUT + b"Content-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(64):
            wire.send(block)
        assert wire.read_response() == ok(b"%d" % (64 * MIB))
        assert tracemalloc.get_traced_memory()[1] < 6 * MIB
    finally:
        tracemalloc.stop()


def test_a_client_that_leaves_within_a_body_is_reported_to_its_reader(serve, loop):
    gate = Gate(loop)
    running = serve(App(gate, limit=None))
    wire = running.connect()
    gate.open()
    wire.send(PUT + b"Content-Length: 9\r\n\r\nabc")
    assert gate.entered.wait(PATIENCE)
    wire.close()
    assert gate.ended.wait(PATIENCE)
    assert isinstance(gate.error, ClientGoneError)
    assert running.settle() == 0


def test_a_client_that_half_closes_within_a_body_is_closed(serve, loop):
    gate = Gate(loop)
    wire = serve(App(gate, limit=None)).connect()
    gate.open()
    wire.send(PUT + b"Content-Length: 9\r\n\r\nabc")
    wire.socket.shutdown(1)
    assert wire.read_to_end() == b""
    assert gate.ended.wait(PATIENCE)
    assert isinstance(gate.error, ClientGoneError)


def test_a_chunk_that_is_malformed_ends_reader_and_connection(serve, loop):
    gate = Gate(loop)
    wire = serve(App(gate, limit=None)).connect()
    gate.open()
    wire.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n")
    assert wire.read_to_end().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert gate.ended.wait(PATIENCE)
    assert isinstance(gate.error, ClientGoneError)


@pytest.mark.parametrize("answer", [read_none, read_none_at_once])
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000,
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
    ids=["counted", "chunked"],
)
def test_a_small_body_left_unread_is_drained_and_the_connection_kept(serve, answer, body):
    wire = serve(App(answer, limit=None)).connect()
    for _ in range(3):
        wire.send(PUT + body)
        assert wire.read_response() == ok(b"unread")


@pytest.mark.parametrize("answer", [read_none, read_none_at_once])
def test_a_large_body_left_unread_costs_the_connection(serve, answer):
    wire = serve(App(answer, limit=None)).connect()
    wire.send(PUT + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
    assert wire.read_to_end() == ok(b"unread", CLOSE)


def test_a_chunked_body_left_unread_is_drained_up_to_a_bound(serve):
    wire = serve(App(read_none_at_once, limit=None), drain=1000).connect()
    wire.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n")
    assert wire.read_response() == ok(b"unread")
    wire.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
    assert wire.read_to_end() == b""


def test_reading_past_a_limit_of_the_applications_own_is_413(serve):
    async def read_three(request):
        return respond(await request.stream.read(3))

    wire = serve(App(read_three, limit=None)).connect()
    wire.send(PUT + b"Content-Length: 4\r\n\r\nabcd")
    declared = wire.read_response()
    assert declared.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert b"the body of 4 bytes is larger than 3" in declared
    wire.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n")
    chunked = wire.read_response()
    assert chunked.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert b"the body is larger than 3 bytes" in chunked
    wire.send(PUT + b"Content-Length: 3\r\n\r\nabc")
    assert wire.read_response() == ok(b"b'abc'")


def test_a_limit_found_within_the_body_is_413_too(serve):
    async def stop_early(request):
        async for _ in request.stream:
            raise BodyTooLargeError("more than the bucket takes")
        return respond("never")

    answer = serve(App(stop_early, limit=None)).ask(
        PUT + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    )
    assert answer.endswith(b'{"error": "more than the bucket takes"}')


def test_reading_after_the_answer_fails_instead_of_waiting(serve):
    failed = threading.Event()

    async def read_late(stream):
        with pytest.raises(RuntimeError, match="answered before its body was read"):
            await stream.read(10)
        failed.set()

    tasks = []

    def answer(request):
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: tasks.append(loop.create_task(read_late(request.stream))))
        return respond("unread")

    wire = serve(App(answer, limit=None)).connect()
    wire.send(PUT + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert wire.read_response() == ok(b"unread", CLOSE)
    assert failed.wait(PATIENCE)


def test_a_body_has_one_reader(serve):
    async def answer(request):
        first = asyncio.ensure_future(request.stream.read(10))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one reader"):
            await request.stream.read(10)
        return respond(await first)

    wire = serve(App(answer, limit=None)).connect()
    wire.send(PUT + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    # The second reader has failed before the client sends: the first still gets everything.
    wire.send(b"abc")
    assert wire.read_response() == ok(b"b'abc'")
