"""Requests as bytes: written, parsed from a recording, sent over a connection that stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

HEAD_END = b"\r\n\r\n"
ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """A request; header names as they were written, without Content-Length."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    def header(self, name: bytes) -> bytes:
        """Return the first value of a header; empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    def encode(self) -> bytes:
        lines = [b"%s %s HTTP/1.1" % (self.method, self.target)]
        lines += [b"%s: %s" % pair for pair in self.headers]
        lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join(lines) + HEAD_END + self.body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    head: bytes
    body: bytes


def parse_recording(stream: bytes) -> Iterator[Message]:
    """Yield the requests that a client wrote to one connection, to the last whole one."""
    while stream:
        head, result, stream = stream.partition(HEAD_END)
        if not result:
            return
        line, *rest = head.split(b"\r\n")
        method, target, _ = line.split(b" ")
        headers = tuple(_pair(each) for each in rest)
        body, stream = _cut_body(headers, stream)
        kept = tuple(pair for pair in headers if pair[0].lower() not in _OF_THE_FRAME)
        yield Message(method, target, kept, body)


_OF_THE_FRAME = {b"content-length", b"transfer-encoding", b"expect"}


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip()


def _cut_body(headers: tuple[tuple[bytes, bytes], ...], stream: bytes) -> tuple[bytes, bytes]:
    named = {name.lower(): value for name, value in headers}
    if named.get(b"transfer-encoding") == b"chunked":
        return _cut_chunks(stream)
    size = int(named.get(b"content-length", b"0"))
    return stream[:size], stream[size:]


def _cut_chunks(stream: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, stream = stream.partition(b"\r\n")
        length = int(size, 16)
        body, stream = body + stream[:length], stream[length + 2 :]
        if not length:
            return body, stream


class Connection:
    """One connection to a server, opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, message: Message) -> Answer | None:
        """Return the answer, or None where the server closed the connection without one."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._exchange(message)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.close()
            return None

    async def _exchange(self, message: Message) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(message.encode())
        with suppress(ConnectionError):  # refused before all of it was read; the answer says why
            await writer.drain()
        head = await reader.readuntil(HEAD_END)
        while head.startswith(b"HTTP/1.1 100"):
            head = await reader.readuntil(HEAD_END)
        status = int(head.split(b" ", 2)[1])
        body = await self._body(reader, head, status, message.method)
        if b"\r\nconnection: close" in head.lower():
            self.close()
        return Answer(status, head, body)

    async def _body(
        self, reader: asyncio.StreamReader, head: bytes, status: int, method: bytes
    ) -> bytes:
        if method == b"HEAD" or status in {204, 304}:
            return b""
        named = dict(_pair(line.lower()) for line in head.split(b"\r\n")[1:])
        if named.get(b"transfer-encoding") == b"chunked":
            return await _read_chunks(reader)
        return await reader.readexactly(int(named.get(b"content-length", b"0")))

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while length := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(length)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


def addressed(message: Message, port: int) -> Message:
    """Return a request with the Host of a server on this port."""
    headers = tuple(
        (name, b"127.0.0.1:%d" % port if name.lower() == b"host" else value)
        for name, value in message.headers
    )
    return replace(message, headers=headers)
