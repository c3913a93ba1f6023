"""Servers of the echo model that the tests of clients share, and servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cloudserve.local_server.server import ModelServer

from cloudserve import registry

from .echo import SIGNATURES, Tensor, write_echo

CONFIG = """\
model_config_list {{
  config {{
    name: "{}"
    base_path: "{}"
    model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
}}
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass(frozen=True)
class Served:
    """A running server of the echo model, and its files."""

    rest: str
    grpc: str
    path: Path
    socket: str

    @property
    def addresses(self) -> dict[str, str]:
        return {"rest": self.rest, "grpc": self.grpc, "in process": str(self.path)}


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a server of the versions 1 and 2."""
    with serving(tmp_path_factory.mktemp("models"), "echo", SIGNATURES) as served:
        yield served


@contextmanager
def serving(
    folder: Path, name: str, signatures: Mapping[str, Mapping[str, Tensor]]
) -> Iterator[Served]:
    """Serve two versions of a model that returns its inputs, the labels `stable` and `canary`."""
    base = write_echo(folder / name, 1, 2, signatures=signatures)
    config = folder / "models.config"
    config.write_text(CONFIG.format(name, base))
    ports = f"--port={free_port()}", f"--rest_api_port={free_port()}"
    labels = "--allow_version_labels_for_unavailable_models=true"
    flags = (*ports, labels, f"--model_config_file={config}", f"--grpc_socket_path={folder}/s")
    server = registry.local_server().flagged_server(flags)
    with running(server):
        rest = f"{server.address}/v1/models/{name}"
        grpc = f"grpc://127.0.0.1:{ports[0].partition('=')[2]}/{name}"
        yield Served(rest, grpc, base, f"unix:{folder}/s")


@contextmanager
def running(server: ModelServer) -> Iterator[None]:
    """Run a server on an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


Behave = Callable[[socket.socket, int], None]
"""Serves one connection: its socket, and how many came before."""


@pytest.fixture
def misbehaving() -> Iterator[Callable[[Behave], str]]:
    """Give what starts a server whose connections a function handles; returns HOST:PORT."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(behave: Behave) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            number = 0
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the listener was closed
                    return
                with connection:
                    behave(connection, number)
                number += 1

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join()


@pytest.fixture
def nobody() -> Iterator[str]:
    """Give HOST:PORT that nobody listens on, and that no other process can get."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"
