"""A server of echoes on this project's HTTP/2, and h2's client on a real socket."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import h2.config
import h2.connection
import h2.events
from cloudserve.local_server.transport.http2.connection import Connection
from cloudserve.local_server.transport.http2.limits import Http2Limits
from cloudserve.local_server.transport.http2.server_state import ServerState
from cloudserve.local_server.transport.http2.stream import begin_each
from cloudserve.local_server.transport.http2.wire.header_blocks import ResponseBlocks, encode

PATIENCE = 20.0  # a test that passes never waits so long
BLOCKS = ResponseBlocks(encode([(b":status", b"200")]), encode([(b"done", b"yes")]))
REQUEST = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/echo"),
    (":authority", "localhost"),
]


class Echo:
    """Answers a request with its body when it is complete; records the fate of each."""

    def __init__(self, app, stream, head):
        self.app = app
        self.stream = stream
        self.head = head
        self.awaits_body = True
        self.parts = []

    def data(self, content):
        self.parts.append(content)
        if self.app.releases:
            self.stream.release(len(content))

    def end(self):
        self.app.ended.append(self.stream.number)
        if not self.app.holds:
            self.answer()

    def answer(self):
        body = b"".join(self.parts) + b"-" * self.app.extra
        self.stream.answer(BLOCKS, body)

    def aborted(self):
        self.app.aborted.append(self.stream.number)


class EchoApp:
    """An application (see `http2.stream.Application`)."""

    def __init__(self):
        self.requests = {}
        self.ended = []
        self.aborted = []
        self.holds = False
        self.releases = True
        self.extra = 0
        self.refuses = False
        self.waits = True
        self.together = []

    def open(self, stream, head):
        head.waits_for_body = self.waits
        echo = self.requests[stream.number] = Echo(self, stream, head)
        if self.refuses:
            stream.send_head(encode([(b":status", b"403")]), end=True)
        return echo

    def begin(self, requests):
        self.together.append([stream.number for stream, _, _ in requests])
        begin_each(self.open, requests)


class Served:
    """A server in the thread of its loop."""

    def __init__(self, loop, limits):
        self.loop = loop
        self.app = EchoApp()
        self.state = ServerState(self.app, limits, loop)
        self.server = self.do(self._start())
        self.port = self.server.sockets[0].getsockname()[1]
        self.clients = []

    async def _start(self):
        return await self.loop.create_server(lambda: Connection(self.state), "127.0.0.1", 0)

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def call(self, function, *arguments):
        async def work():
            return function(*arguments)

        return self.do(work())

    def sweep(self, later):
        """Check the timeouts as if `later` seconds had passed."""
        for connection in self.call(tuple, self.state.connections):
            self.call(connection.sweep, self.loop.time() + later)

    def stop(self):
        for connection in self.call(tuple, self.state.connections):
            self.call(connection.stop)

    def connect(self, **options):
        client = H2Client(self.port, **options)
        self.clients.append(client)
        return client

    def raw(self):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.clients.append(closing(raw))
        return raw

    def close(self):
        for client in self.clients:
            client.__exit__(None, None, None)
        self.call(self.server.close)
        self.do(asyncio.wait_for(self.state.quiet(), PATIENCE))


class H2Client:
    """h2's connection, which raises for frames that RFC 9113 does not allow."""

    def __init__(self, port, *, validates=True, settings=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=validates,
            normalize_outbound_headers=validates,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        self.events = []
        self.flush()

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def send_raw(self, data):
        self.flush()
        self.socket.sendall(data)

    def receive(self):
        """Receive some bytes; return whether the connection is still open."""
        data = self.socket.recv(65536)
        if data:
            self.events += self.h2.receive_data(data)
            self.flush()
        return bool(data)

    def until(self, kind, number=None):
        """Wait for an event, of the stream `number` if it is given."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and number in {None, getattr(event, "stream_id", None)}:
                    return event
            if not self.receive():
                raise EOFError(self.events)

    def request(self, body=b"", *, fields=(), end=True, **data_options):
        """Send a request as fast as the server allows it; return its stream's number."""
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, [*REQUEST, *fields], end_stream=end and not body)
        while body:
            padding = data_options.get("pad_length")
            room = self.h2.local_flow_control_window(number) - (padding or 0) - 1
            size = min(room, self.h2.max_outbound_frame_size - 256, len(body))
            if size <= 0:
                self.flush()
                self.receive()
                continue
            part, body = body[:size], body[size:]
            self.h2.send_data(number, part, end_stream=end and not body, **data_options)
        self.flush()
        return number

    def answer(self, number):
        """Return the body of a complete response, acknowledging each part."""
        body, at = b"", 0
        while True:
            for event in self.events[at:]:
                at += 1
                if getattr(event, "stream_id", None) != number:
                    continue
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, number)
                elif isinstance(event, h2.events.StreamEnded):
                    self.flush()
                    return body
                elif isinstance(event, h2.events.StreamReset):
                    raise ConnectionAbortedError(event)
            self.flush()
            if not self.receive():
                raise EOFError(self.events)


def limits(**changed):
    return Http2Limits(**changed)
