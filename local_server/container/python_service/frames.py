"""The protocol of `worker_script.py`: frames of a JSON head and a body over a socket."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

_LENGTHS = struct.Struct("!II")
_MOST_HEAD = 1024 * 1024
_MOST_BODY = 1024 * 1024 * 1024


class BrokenFrameError(Exception):
    """The peer sent an invalid frame or closed the connection."""


class FrameSocket:
    """One end of the connection. Not thread-safe."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def exchange(
        self, head: dict[str, Any], body: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """Send a frame and return the peer's answer.

        Raises TimeoutError after `seconds`, BrokenFrameError, OSError.
        """
        end = time.monotonic() + seconds
        text = json.dumps(head).encode()
        self._connection.settimeout(seconds)
        self._connection.sendall(_LENGTHS.pack(len(text), len(body)) + text + body)
        head_size, body_size = _LENGTHS.unpack(self._read(_LENGTHS.size, end))
        if head_size > _MOST_HEAD or body_size > _MOST_BODY:
            raise BrokenFrameError("a frame is too long")
        return _head(self._read(head_size, end)), self._read(body_size, end)

    def _read(self, size: int, end: float) -> bytes:
        read = bytearray()
        while len(read) < size:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            chunk = self._connection.recv(min(size - len(read), 1024 * 1024))
            if not chunk:
                raise BrokenFrameError("the other end is closed")
            read += chunk
        return bytes(read)

    def close(self) -> None:
        """Close this end."""
        self._connection.close()


def _head(text: bytes) -> dict[str, Any]:
    try:
        head = json.loads(text)
    except ValueError as error:
        raise BrokenFrameError("a frame's head is not JSON") from error
    if not isinstance(head, dict):
        raise BrokenFrameError("a frame's head is not an object")
    return head
