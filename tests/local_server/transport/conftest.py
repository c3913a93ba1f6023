"""Real servers on real sockets: an application in a loop's thread, clients in the test's."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop
from cloudserve.local_server.transport.http.server import HttpServer
from cloudserve.local_server.transport.limits import Limits
from cloudserve.local_server.transport.types import Head, Request, Response

PATIENCE = 20.0  # for what must come; nothing waits for it that passes
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@dataclass
class App:
    """An application of one function; a limit of None streams bodies."""

    answer: Callable[[Request], Response | Awaitable[Response]]
    limit: int | None = 1 << 20

    def body_limit(self, head: Head) -> int | None:
        return self.limit

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        return self.answer(request)


class Wire:
    """A raw client: exact bytes out, exact bytes in (the date aside)."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.pending = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_until(self, end: bytes) -> bytes:
        while end not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.pending)
            self.pending += data
        at = self.pending.index(end) + len(end)
        read, self.pending = self.pending[:at], self.pending[at:]
        return read

    def read_exactly(self, count: int) -> bytes:
        pieces = [self.pending]
        left = count - len(self.pending)
        while left > 0:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError(f"{left} bytes before the end")
            pieces.append(data)
            left -= len(data)
        whole = b"".join(pieces)
        self.pending = whole[count:]
        return whole[:count]

    def read_response(self, *, head_only: bool = False) -> bytes:
        """Return one final response, with "Date: -"."""
        head = self.read_until(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        body = b"" if head_only or length is None else self.read_exactly(int(length[1]))
        return undated(head) + body

    def read_to_end(self) -> bytes:
        """Return all that comes until the server closes."""
        read = self.pending
        while data := self.socket.recv(65536):
            read += data
        self.pending = b""
        self.close()
        return undated(read)

    def close(self) -> None:
        self.socket.close()


@dataclass
class Running:
    """A server in the thread of its loop."""

    server: HttpServer
    loop: asyncio.AbstractEventLoop
    wires: list[Wire]

    @property
    def port(self) -> int:
        return self.server.port

    def connect(self) -> Wire:
        wire = Wire(self.port)
        self.wires.append(wire)
        return wire

    def ask(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own; return all until the server closes it."""
        wire = self.connect()
        wire.send(data)
        return wire.read_to_end()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def settle(self) -> int:
        """Wait until nothing is in flight; return how many connections are open then."""
        self.run(self.server._state.quiet())
        return self.server.connections


Serve = Callable[..., Running]


def undated(data: bytes) -> bytes:
    return re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"Date: -\r\n", data)


@pytest.fixture(params=LOOPS)
def loop(request) -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop of either kind in a thread."""
    loop = LOOPS[request.param]()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def serve(loop) -> Iterator[Serve]:
    """Start servers; stop them at the end and see that nothing is left open."""
    running: list[Running] = []

    def start(app, tls=None, **limits) -> Running:
        if not isinstance(app, App):
            app = App(app)
        server = HttpServer(app, limits=Limits(**limits), tls=tls)
        one = Running(server, loop, [])
        one.run(server.start())
        running.append(one)
        return one

    yield start
    for one in running:
        for wire in one.wires:
            wire.close()
        one.run(one.server.stop(PATIENCE))
        assert one.server.connections == 0


def echo(request: Request) -> Response:
    """Answer at once with what was understood of the request."""
    line = f"{request.head.method} {request.head.target} {request.content!r}"
    return Response(200, line.encode(), "text/plain")


async def echo_later(request: Request) -> Response:
    """Answer as `echo`, from a task and a turn of the loop later."""
    await asyncio.sleep(0)
    return echo(request)


def ok(body: bytes, *lines: bytes) -> bytes:
    """Return the exact bytes of `echo`'s answer."""
    return b"".join(
        [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
            b"Content-Length: %d\r\nDate: -\r\n" % len(body),
            *lines,
            b"\r\n",
            body,
        ]
    )


CLOSE = b"Connection: close\r\n"
