"""Start, address, stop within a deadline."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading

import pytest
from cloudserve.local_server.deferred import Deferred
from cloudserve.local_server.transport.http.server import HttpServer
from cloudserve.local_server.transport.loop import new_event_loop, run
from cloudserve.local_server.transport.types import Response

from cloudserve.errors import UserError

from ..conftest import CLOSE, PATIENCE, App, echo, ok

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Gate:
    """A handler that waits, and tells whether it was let finish."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered = threading.Event()
        self.cancelled = False

    async def __call__(self, request):
        self.entered.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return echo(request)


def test_a_port_in_use_is_reported_with_what_to_do(serve):
    running = serve(echo)
    with pytest.raises(UserError) as caught:
        running.run(HttpServer(App(echo), port=running.port).start())
    assert caught.value.message == f"port {running.port} on 127.0.0.1 is in use"
    assert "another port" in caught.value.hint


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 70000, "70000 is not a port"),
        ("192.0.2.1", 0, "cannot listen on 192.0.2.1: "),
        ("no-such-host.invalid", 0, "cannot listen on no-such-host.invalid: "),
    ],
)
def test_an_address_that_cannot_be_bound_is_reported(loop, host, port, message):
    future = asyncio.run_coroutine_threadsafe(HttpServer(App(echo), host, port).start(), loop)
    with pytest.raises(UserError) as caught:
        future.result(PATIENCE)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_the_address_names_the_port_that_was_chosen(serve):
    running = serve(echo)
    assert running.port > 0
    assert running.server.address == f"127.0.0.1:{running.port}"


def test_an_ipv6_address_is_in_brackets(loop):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")

    async def main():
        server = HttpServer(App(echo), "::1")
        await server.start()
        try:
            reader, writer = await asyncio.open_connection("::1", server.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
        finally:
            await server.stop()
        return server.address, server.port, answer

    address, port, answer = asyncio.run_coroutine_threadsafe(main(), loop).result(PATIENCE)
    assert address == f"[::1]:{port}"
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_stopped_servers_port_is_free_and_it_can_start_again(serve):
    running = serve(echo)
    port = running.port
    wire = running.connect()
    wire.send(GET)
    assert wire.read_response() == ok(b"GET / b''")
    running.run(running.server.stop(PATIENCE))
    assert wire.read_to_end() == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    again = HttpServer(App(echo), port=port)
    running.run(again.start())
    running.run(again.stop(PATIENCE))


def test_stop_closes_idle_connections_at_once(serve):
    running = serve(echo)
    idle = [running.connect() for _ in range(5)]
    for wire in idle:
        wire.send(GET)
        wire.read_response()
    running.run(running.server.stop(PATIENCE))
    assert [wire.read_to_end() for wire in idle] == [b""] * 5


def test_stop_lets_requests_in_flight_finish_and_then_closes(serve):
    gate = Gate()
    running = serve(gate)
    wire = running.connect()
    wire.send(GET)
    assert gate.entered.wait(PATIENCE)
    stopping = asyncio.run_coroutine_threadsafe(running.server.stop(PATIENCE), running.loop)
    running.loop.call_soon_threadsafe(gate.opened.set)
    assert wire.read_to_end() == ok(b"GET / b''", CLOSE)
    stopping.result(PATIENCE)
    assert not gate.cancelled


def test_while_stop_waits_no_connection_is_taken_and_no_further_request_is_begun(serve):
    gate = Gate()
    requests = []

    def app(request):
        requests.append(request.head.target)
        return gate(request)

    running = serve(app)
    wire = running.connect()
    wire.send(GET + GET.replace(b"/", b"/second", 1))
    assert gate.entered.wait(PATIENCE)
    stopping = asyncio.run_coroutine_threadsafe(running.server.stop(PATIENCE), running.loop)
    running.run(asyncio.sleep(0))  # lets the stop take its first step
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE)
    assert not stopping.done()
    running.loop.call_soon_threadsafe(gate.opened.set)
    assert wire.read_to_end() == ok(b"GET / b''", CLOSE)
    stopping.result(PATIENCE)
    assert requests == ["/"]


def test_stop_lets_an_upload_in_flight_finish(serve):
    async def count(request):
        return Response(200, b"%d" % len(await request.stream.read(100)), "text/plain")

    running = serve(App(count, limit=None))
    wire = running.connect()
    wire.send(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
    wire.read_until(b"100 Continue\r\n\r\n")
    stopping = asyncio.run_coroutine_threadsafe(running.server.stop(PATIENCE), running.loop)
    wire.send(b"abc")
    wire.send(b"def")
    assert wire.read_to_end() == ok(b"6", CLOSE)
    stopping.result(PATIENCE)


def test_past_its_deadline_stop_cancels_handlers_and_cuts_connections(serve):
    gate = Gate()
    running = serve(gate)
    wire = running.connect()
    wire.send(GET)
    assert gate.entered.wait(PATIENCE)
    running.run(running.server.stop(0))
    assert gate.cancelled
    assert running.server.connections == 0
    with pytest.raises((EOFError, ConnectionResetError)):
        wire.read_response()


def test_a_handler_without_its_client_is_waited_for_too(serve):
    gate = Gate()
    running = serve(gate)
    wire = running.connect()
    wire.send(GET)
    assert gate.entered.wait(PATIENCE)
    wire.close()
    stopping = asyncio.run_coroutine_threadsafe(running.server.stop(PATIENCE), running.loop)
    running.loop.call_soon_threadsafe(gate.opened.set)
    stopping.result(PATIENCE)
    assert not gate.cancelled


def test_a_handler_that_will_not_be_cancelled_is_logged(serve, caplog):
    entered, let_go = threading.Event(), asyncio.Event()

    async def stubborn(_request):
        entered.set()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        return Response(200)

    running = serve(stubborn)
    running.connect().send(GET)
    assert entered.wait(PATIENCE)
    running.run(running.server.stop(0))
    assert "1 request did not end when cancelled" in caplog.text
    running.loop.call_soon_threadsafe(let_go.set)
    assert running.settle() == 0


def test_a_deferred_response_that_does_not_arrive_is_logged(serve, caplog):
    entered, response = threading.Event(), Deferred()

    def handle(_request):
        entered.set()
        return response

    running = serve(handle)
    running.connect().send(GET)
    assert entered.wait(PATIENCE)
    running.run(running.server.stop(0))
    assert "1 request did not end when cancelled" in caplog.text
    running.loop.call_soon_threadsafe(response.settle, Response(200))
    assert running.settle() == 0


def test_stop_twice_and_before_start_does_nothing(serve):
    running = serve(echo)
    running.run(running.server.stop())
    running.run(running.server.stop())
    running.run(HttpServer(App(echo)).stop())


def test_start_twice_is_a_mistake_of_the_caller(serve):
    running = serve(echo)
    with pytest.raises(RuntimeError, match="started already"):
        running.run(running.server.start())


def test_run_serves_on_uvloop():
    async def main():
        return type(asyncio.get_running_loop()).__module__

    assert run(main()).startswith("uvloop")


def test_without_uvloop_the_loop_is_asyncios(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_event_loop()
    try:
        assert isinstance(loop, asyncio.SelectorEventLoop)
    finally:
        loop.close()
