"""What a test watches a rehearsal by: opened files (inotify), and bytes on their way to a port."""

from __future__ import annotations

import ctypes
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OPENED, _READ = 0x20, 0x01  # IN_OPEN, IN_ACCESS (linux/inotify.h)
_EVENT = struct.Struct("iIII")


class OpenedFiles:
    """Tells which files of some folders any process opened or read."""

    def __init__(self, folders: list[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders = {
            libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _OPENED | _READ): folder
            for folder in folders
        }
        assert -1 not in self._folders

    def read(self) -> set[str]:
        """Return the names of what was opened since the last call."""
        names = set()
        with suppress(BlockingIOError):
            while events := os.read(self._descriptor, 1 << 16):
                while events:
                    _, _, _, length = _EVENT.unpack_from(events)
                    name = events[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
                    names.add(name or ".")
                    events = events[_EVENT.size + length :]
        return names

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def recording(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """Give a port that passes everything on to another, and what clients sent so far."""
    sent: list[bytes] = []

    def pump(source: socket.socket, sink: socket.socket, kept: list[bytes]) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                kept.append(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                back = threading.Thread(target=pump, args=(server, self.request, []))
                back.start()
                pump(self.request, server, sent)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        serving = threading.Thread(target=relay.serve_forever)
        serving.start()
        yield relay.server_address[1], sent
        relay.shutdown()
        serving.join()
