"""The parsed parts of a request, and the exact bytes of its response."""

from __future__ import annotations

import asyncio
import threading

import pytest
from cloudserve.local_server.transport.types import Response

from ..conftest import CLOSE, App, echo, echo_later, ok

HOST = b"Host: h\r\n"


def heads(received):
    def answer(request):
        received.append(request.head)
        return Response(200, b"")

    return answer


@pytest.mark.parametrize("answer", [echo, echo_later])
def test_a_request_without_a_body_is_answered_and_the_connection_kept(serve, answer):
    wire = serve(answer).connect()
    for _ in range(3):
        wire.send(b"GET /a%20b?c=d%26 HTTP/1.1\r\n" + HOST + b"\r\n")
        assert wire.read_response() == ok(b"GET /a%20b?c=d%26 b''")


@pytest.mark.parametrize("answer", [echo, echo_later])
def test_a_body_with_content_length_is_collected(serve, answer):
    wire = serve(answer).connect()
    for _ in range(2):
        wire.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhel")
        wire.send(b"lo")
        assert wire.read_response() == ok(b"POST / b'hello'")


def test_a_chunked_body_is_collected_without_extensions_and_trailers(serve):
    wire = serve(echo).connect()
    for _ in range(2):
        wire.send(
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: Chunked\r\n\r\n"
            b"3;name=value\r\nhel\r\n002 \r\nlo\r\n0\r\nX-Trailer: y\r\n\r\n"
        )
        assert wire.read_response() == ok(b"POST / b'hello'")


def test_pipelined_requests_are_answered_in_order_and_one_at_a_time(serve):
    in_flight, most = 0, 0

    async def answer(request):
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        for _ in range(10 - int(request.head.path[1:])):  # the later, the quicker
            await asyncio.sleep(0)
        in_flight -= 1
        return echo(request)

    wire = serve(answer).connect()
    wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i for i in range(10)))
    for i in range(10):
        assert wire.read_response() == ok(b"GET /%d b''" % i)
    assert most == 1


def test_requests_with_bodies_are_pipelined_too(serve):
    one = b"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    two = b"POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    three = b"GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert serve(echo_later).ask(one + two + three) == (
        ok(b"POST /1 b'abc'") + ok(b"POST /2 b'x'") + ok(b"GET /3 b''", CLOSE)
    )


def test_a_client_that_half_closes_gets_all_its_answers(serve):
    running = serve(echo_later)
    wire = running.connect()
    wire.send(b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
    wire.socket.shutdown(1)
    assert wire.read_to_end() == ok(b"GET /1 b''") + ok(b"GET /2 b''")


def test_a_request_cut_short_behind_an_answered_one_is_given_up(serve):
    running = serve(echo_later)
    wire = running.connect()
    wire.send(
        b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
        b"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"
    )
    wire.socket.shutdown(1)
    assert wire.read_to_end() == ok(b"GET /1 b''")


def test_connection_close_is_honoured_and_reported(serve):
    request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"
    assert serve(echo).ask(request) == ok(b"GET / b''", CLOSE)


def test_http_10_closes_unless_it_asks_to_be_kept(serve):
    running = serve(echo)
    assert running.ask(b"GET / HTTP/1.0\r\n\r\n") == ok(b"GET / b''", CLOSE)
    wire = running.connect()
    for _ in range(2):
        wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert wire.read_response() == ok(b"GET / b''", b"Connection: keep-alive\r\n")


def test_headers_are_lower_case_joined_trimmed_and_latin_1(serve):
    observed = []
    wire = serve(heads(observed)).connect()
    wire.send(
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Two: a\r\nx-two:   b \t\r\nEmpty:\r\nName: caf\xe9\r\n\r\n"
    )
    wire.read_response()
    assert observed[0].headers == {"host": "h", "x-two": "a, b", "empty": "", "name": "caf\xe9"}


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"/", "/", "", "h"),
        (b"/a?", "/a", "", "h"),
        (b"/a?b?c", "/a", "b?c", "h"),
        (b"//b/k", "//b/k", "", "h"),
        (b"/a%2Fb", "/a%2Fb", "", "h"),
        (b"http://other:80/a?b", "/a", "b", "other:80"),
        (b"HTTP://other", "/", "", "other"),
        (b"http://other?b/c", "/", "b/c", "other"),
        (b"*", "*", "", "h"),
    ],
)
def test_targets_keep_their_bytes_and_absolute_ones_name_the_host(serve, target, path, query, host):
    observed = []
    wire = serve(heads(observed)).connect()
    wire.send(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    wire.read_response()
    head = observed[0]
    assert (head.path, head.query, head.headers["host"]) == (path, query, host)


def test_empty_lines_before_a_request_are_ignored(serve):
    wire = serve(echo).connect()
    wire.send(b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n\r\n")
    assert wire.read_response() == ok(b"GET / b''")
    wire.send(b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert wire.read_response() == ok(b"GET /2 b''")


def test_an_offered_upgrade_is_ignored_and_its_body_still_a_body(serve):
    """Java's client offers h2c with every first request, those with a body too."""
    wire = serve(echo).connect()
    for _ in range(2):
        wire.send(
            b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\nContent-Length: 16\r\n\r\n"
            b"GET /smuggled HT"
        )
        assert wire.read_response() == ok(b"POST / b'GET /smuggled HT'")
        wire.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert wire.read_response() == ok(b"GET / b''")


def test_a_future_is_an_answer_as_good_as_a_coroutine(serve, loop):
    futures = []
    response = threading.Event()

    def answer(request):
        futures.append(asyncio.get_running_loop().create_future())
        response.set()
        return futures[-1]

    wire = serve(answer).connect()
    wire.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert response.wait(60)
    loop.call_soon_threadsafe(futures[0].set_result, Response(200, b"x", "text/plain"))
    assert wire.read_response() == ok(b"x")


def test_a_body_at_its_limit_is_taken(serve):
    wire = serve(App(echo, limit=3)).connect()
    wire.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
    assert wire.read_response() == ok(b"POST / b'abc'")


def test_small_answers_are_not_delayed_by_nagle(serve, loop):
    running = serve(echo)
    wire = running.connect()
    wire.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    wire.read_response()

    async def no_delay() -> int:
        import socket

        (connection,) = running.server._state.connections
        sock = connection._transport.get_extra_info("socket")
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert running.run(no_delay())
