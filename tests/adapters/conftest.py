"""The offline clouds, in this process, for all tests of adapters."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.aws.protocol.region_check import exists
from cloudserve.local_server.clouds.emulator import Emulator

from cloudserve.local.servers import EmulateCommand

NUMBERS = itertools.count(1)
MADE_UP = ("eu-test-", "us-contract-", "us-gc-", "us-owners-", "us-read-")
"""The beginnings of regions that tests make for themselves."""


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Give the environment of a running emulator."""
    command = EmulateCommand(tmp_path_factory.mktemp("clouds"))
    # Each test has a region of its own for the names of its resources.
    emulator = Emulator(command, knows_region=lambda name: name.startswith(MADE_UP) or exists(name))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(emulator.start(), loop).result(60)
        yield emulator.environment()
    finally:
        asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def bucket() -> str:
    """Give a bucket's name that no other test has."""
    return f"cloudserve-test-{next(NUMBERS)}"


@pytest.fixture(scope="session")
def half_plus_two(shared_models: Path) -> Path:
    return shared_models / "tfs_half_plus_two_2v" / "123"


@pytest.fixture(scope="session")
def half_plus_three(shared_models: Path) -> Path:
    return next(p for p in sorted((shared_models / "tfs_half_plus_three").iterdir()) if p.is_dir())


@dataclass
class ReceivedRequest:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = tuple[int, Mapping[str, str], bytes]


class Scripted(ThreadingHTTPServer):
    """A real HTTP server that answers what a test says; None hangs up without an answer."""

    daemon_threads = True

    def __init__(self, answer: Callable[[ReceivedRequest], Answer | None]) -> None:
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.answer = answer
        self.requests: list[ReceivedRequest] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class ScriptedHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = ReceivedRequest(self.command, self.path, self.headers, body)
        self.server.requests.append(request)
        answer = self.server.answer(request)
        if answer is None:
            self.close_connection = True
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Keep quiet: the test looks at what was asked."""


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[ReceivedRequest], Answer | None]], Scripted]]:
    """Give what starts a server that answers as a function says."""
    servers: list[Scripted] = []

    def start(answer: Callable[[ReceivedRequest], Answer | None]) -> Scripted:
        server = Scripted(answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def nobody() -> str:
    """Give the URL of a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def lines() -> list[str]:
    return []
