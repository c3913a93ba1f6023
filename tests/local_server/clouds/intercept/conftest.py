"""A proxy in front of an application that shows what it gets, and raw clients of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading

import pytest
from cloudserve.local_server.clouds.certificates import CERTIFICATE
from cloudserve.local_server.clouds.intercept.interceptor import DOMAINS
from cloudserve.local_server.clouds.intercept.proxy import Proxy
from cloudserve.local_server.clouds.intercept.traffic import Traffic
from cloudserve.local_server.clouds.renewal import RenewedAuthority, _utc_now
from cloudserve.local_server.transport.limits import Limits
from cloudserve.local_server.transport.loop import new_event_loop
from cloudserve.local_server.transport.types import Response

SECONDS = 60.0


class Showing:
    """Answers with the method, path and host of a request, and its body."""

    def body_limit(self, head):
        return 1000

    async def handle(self, request):
        head = request.head
        line = f"{head.method} {head.path} {head.headers['host']}"
        return Response(200, line.encode() + b" " + request.content, "text/plain")


class RunningProxy:
    """A proxy on a loop in a thread of its own."""

    def __init__(self, folder, now=_utc_now, **limits):
        self.certificate = str(folder / CERTIFICATE)
        authority, traffic = RenewedAuthority(folder, DOMAINS, now), Traffic()
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.proxy = Proxy(Showing(), authority, traffic, {}, Limits(**limits))
        self._run(self.proxy.start())
        self.address = ("127.0.0.1", int(self.proxy.url.rpartition(":")[2]))

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)

    def stop(self):
        self._run(self.proxy.stop(1.0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    @property
    def report(self):
        return self.proxy.traffic.report()

    def send(self, *parts: bytes) -> bytes:
        """Send bytes on a new connection; return the whole answer."""
        with socket.create_connection(self.address, SECONDS) as client:
            for part in parts:
                client.sendall(part)
            return read_all(client)

    def connect(self, authority: str) -> socket.socket:
        """Open a tunnel, without TLS."""
        client = socket.create_connection(self.address, SECONDS)
        client.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        assert client.recv(1000) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        return client

    def open(self, host: str, alpn=(), authority="") -> ssl.SSLSocket:
        """Open a tunnel with TLS."""
        context = ssl.create_default_context(cafile=self.certificate)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context.wrap_socket(self.connect(authority or f"{host}:443"), server_hostname=host)

    def ask(self, host: str, request: str, **options) -> str:
        """Send a request through a tunnel; return the whole answer."""
        with self.open(host, **options) as client:
            client.sendall(request.replace("\n", "\r\n").encode())
            return read_all(client).decode()


def read_all(client) -> bytes:
    received = b""
    while data := client.recv(65536):
        received += data
    return received


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """Give a proxy for all tests of a module."""
    running = RunningProxy(tmp_path_factory.mktemp("intercept"), linger_seconds=0.1)
    yield running
    running.stop()


@pytest.fixture
def hasty(tmp_path):
    """Give a proxy whose clients must be quick."""
    running = RunningProxy(tmp_path, header_seconds=0.1, handshake_seconds=0.1, idle_seconds=0.2)
    yield running
    running.stop()
