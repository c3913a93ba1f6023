"""Responses: heads, files, HEAD, failures; never faster than the client reads."""

from __future__ import annotations

import asyncio
import logging
import select

import pytest
from cloudserve.local_server.transport.http.responses import DateLine
from cloudserve.local_server.transport.types import ClientGoneError, FileSlice, LiveBody, Response

from ..conftest import CLOSE, App, ok, undated

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
INTERNAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b'Content-Length: 27\r\nDate: -\r\n\r\n{"error": "internal error"}'
)
MIB = 1 << 20


def always(*args, **kwargs):
    return lambda _: Response(*args, **kwargs)


def test_headers_are_sent_as_given(serve):
    wire = serve(always(200, b"x", "a/b", {"ETag": '"caf\xe9"', "x-b": ""})).connect()
    wire.send(GET)
    assert wire.read_response() == (
        b'HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nETag: "caf\xe9"\r\nx-b: \r\n'
        b"Content-Length: 1\r\nDate: -\r\n\r\nx"
    )


@pytest.mark.parametrize(
    ("status", "line"),
    [(308, b"308 Permanent Redirect"), (424, b"424 Failed Dependency"), (599, b"599 ")],
)
def test_an_empty_body_has_a_length_and_any_final_status_goes(serve, status, line):
    wire = serve(always(status)).connect()
    wire.send(GET)
    expected = b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\nDate: -\r\n\r\n"
    assert wire.read_response() == expected


def test_204_and_304_have_neither_body_nor_length(serve):
    for status, phrase in ((204, b"204 No Content"), (304, b"304 Not Modified")):
        wire = serve(always(status)).connect()
        for _ in range(2):
            wire.send(GET)
            assert wire.read_response() == b"HTTP/1.1 " + phrase + b"\r\nDate: -\r\n\r\n"


def test_head_gets_the_length_and_no_body(serve):
    wire = serve(always(200, b"hello", "text/plain")).connect()
    for _ in range(2):
        wire.send(HEAD)
        assert wire.read_response(head_only=True) == ok(b"hello")[:-5]


def test_head_reports_a_length_of_the_applications_own(serve):
    wire = serve(always(200, b"", "text/plain", length=5)).connect()
    wire.send(HEAD)
    assert wire.read_response(head_only=True) == ok(b"hello")[:-5]


@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB])
def test_bodies_of_any_size_arrive_whole(serve, size):
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    wire = serve(always(200, body, "text/plain")).connect()
    for _ in range(2):
        wire.send(GET)
        assert wire.read_response() == ok(body)


@pytest.mark.parametrize(("offset", "length"), [(0, 3 * MIB), (1, 1), (1000, 2 * MIB), (5, 0)])
def test_a_files_slice_is_streamed(serve, tmp_path, offset, length):
    content = bytes(range(256)) * (3 * MIB // 256)
    path = tmp_path / "file"
    path.write_bytes(content)
    wire = serve(always(200, FileSlice(path, offset, length), "text/plain")).connect()
    for _ in range(2):
        wire.send(GET + GET)
        for _ in range(2):
            assert wire.read_response() == ok(content[offset : offset + length])
        wire.send(HEAD)
        head = wire.read_response(head_only=True)
        assert b"Content-Length: %d\r\n" % length in head


def test_a_file_that_is_missing_is_a_logged_500(serve, tmp_path, caplog):
    wire = serve(always(200, FileSlice(tmp_path / "none", 0, 1))).connect()
    wire.send(GET)
    assert wire.read_response() == INTERNAL
    assert "No such file" in caplog.text


def test_a_file_shorter_than_its_slice_breaks_the_connection(serve, tmp_path, caplog):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    running = serve(always(200, FileSlice(path, 0, 5)))
    wire = running.connect()
    wire.send(GET)
    with pytest.raises((EOFError, ConnectionResetError)):
        wire.read_response()
    assert running.settle() == 0
    assert "the file ended 2 bytes before its slice" in caplog.text


def test_a_slow_reader_of_a_file_does_not_fill_the_memory(serve, tmp_path):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    running = serve(always(200, FileSlice(path, 0, 64 * MIB)))
    wire = running.connect()
    wire.send(GET)
    wire.read_until(b"\r\n\r\n")
    assert running.run(buffered(running)) < MIB
    assert len(wire.read_exactly(64 * MIB)) == 64 * MIB


def test_a_live_body_is_sent_as_it_comes_and_ends_with_the_connection(serve):
    async def chunks():
        yield b"one "
        yield b"two"

    wire = serve(lambda _: Response(200, LiveBody(chunks()), "text/plain")).connect()
    wire.send(GET)
    head = wire.read_until(b"\r\n\r\n")
    assert b"Connection: close\r\n" in head
    assert b"Content-Length" not in head
    assert wire.read_until(b"two") == b"one two"
    with pytest.raises(EOFError):
        wire.read_exactly(1)


def test_a_live_body_is_closed_when_its_client_has_left(serve):
    closed = []

    async def chunks():
        try:
            while True:
                yield b"tick "
                await asyncio.sleep(0.01)
        finally:
            closed.append(True)

    running = serve(lambda _: Response(200, LiveBody(chunks())))
    wire = running.connect()
    wire.send(GET)
    wire.read_until(b"tick ")
    wire.close()
    assert running.settle() == 0
    assert closed == [True]


def test_a_client_that_reads_nothing_gets_nothing_more_asked(serve):
    count = 0

    def answer(_request):
        nonlocal count
        count += 1
        return Response(200, bytes(MIB))

    running = serve(answer)
    wire = running.connect()
    wire.send(GET * 1000)
    # Until the server stops sending for a while: kernel buffers and one answer are full.
    while select.select([wire.socket], [], [], 0.3)[0] and not running.run(paused(running)):
        pass
    assert count < 50
    assert running.run(buffered(running)) < 2 * MIB
    for _ in range(1000):
        assert len(wire.read_response()) > MIB
    assert count == 1000


async def buffered(running) -> int:
    (connection,) = running.server._state.connections
    return connection._transport.get_write_buffer_size()


async def paused(running) -> bool:
    (connection,) = running.server._state.connections
    return connection._out.paused


def test_a_client_that_leaves_within_a_file_leaves_nothing_behind(serve, tmp_path):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    running = serve(always(200, FileSlice(path, 0, 64 * MIB)))
    wire = running.connect()
    wire.send(GET)
    wire.read_until(b"\r\n\r\n")
    wire.close()
    assert running.settle() == 0


def fail_at_once(_request):
    raise KeyError("secret-of-the-house")


async def fail_later(_request):
    raise KeyError("secret-of-the-house")


@pytest.mark.parametrize("answer", [fail_at_once, fail_later])
def test_a_handler_that_fails_is_a_logged_500_and_the_connection_kept(serve, answer, caplog):
    wire = serve(answer).connect()
    for _ in range(2):
        wire.send(b"GET /path?signature=s3cr3t HTTP/1.1\r\nHost: h\r\n\r\n")
        assert wire.read_response() == INTERNAL
    record = caplog.records[0]
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "GET /path failed")
    assert record.exc_info[0] is KeyError
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize("answer", [fail_at_once, fail_later])
def test_a_handler_that_fails_before_its_body_was_read_costs_the_connection(serve, answer, caplog):
    response = serve(App(answer, limit=None)).ask(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"
    )
    assert response == INTERNAL.replace(b"Date: -\r\n", b"Date: -\r\n" + CLOSE)
    assert "POST / failed" in caplog.text


def test_an_application_that_cannot_name_a_limit_is_a_500(serve, caplog):
    class Broken(App):
        def body_limit(self, head):
            raise KeyError("limit")

    running = serve(Broken(always(200)))
    wire = running.connect()
    wire.send(GET)
    assert wire.read_response() == INTERNAL
    response = running.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
    assert response == INTERNAL.replace(b"Date: -\r\n", b"Date: -\r\n" + CLOSE)
    assert "KeyError: 'limit'" in caplog.text


def test_a_client_known_to_be_gone_is_just_closed(serve, caplog):
    def answer(_request):
        raise ClientGoneError

    assert serve(answer).ask(GET) == b""
    assert not caplog.records


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(200, headers={"A": "b\r\nC: d"}), "line break"),
        (Response(200, headers={"A\r\nB": "c"}), "line break"),
        (Response(200, headers={"A": "b\0"}), "line break or NUL"),
        (Response(200, content_type="a\nb"), "line break"),
        (Response(200, headers={"A": "\u20ac"}), "latin-1"),
        (Response(200, headers={"Content-Length": "3"}), "the transport sets Content-Length"),
        (Response(200, headers={"transfer-encoding": "chunked"}), "the transport sets"),
        (Response(204, b"x"), "status 204 has no body"),
        (Response(101), "200 to 999"),
    ],
)
def test_a_response_that_cannot_be_sent_is_a_logged_500_and_nothing_of_it_goes_out(
    serve, caplog, response, reason
):
    wire = serve(lambda _: response).connect()
    wire.send(GET)
    assert wire.read_response() == INTERNAL
    assert reason in caplog.text


def test_a_handler_continues_when_its_client_leaves(serve):
    ended = []

    async def main(loop_event, started, _request):
        started.set()
        await loop_event.wait()
        ended.append(True)
        return Response(200)

    gate, started = asyncio.Event(), asyncio.Event()
    running = serve(lambda request: main(gate, started, request))
    wire = running.connect()
    wire.send(GET)
    running.run(started.wait())
    wire.close()
    running.loop.call_soon_threadsafe(gate.set)
    assert running.settle() == 0
    assert ended == [True]


def test_the_date_is_formatted_once_a_second():
    times = [784111777.0, 784111777.9, 784111778.0]
    date = DateLine(lambda: times.pop(0))
    first, same, later = date(), date(), date()
    assert first == b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert same is first
    assert later == b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"
    assert undated(first) == b"Date: -\r\n"
