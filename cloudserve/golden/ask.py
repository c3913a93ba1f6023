"""Senders of golden requests: to a URL, to the local server, to a model on a target."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from cloudserve import registry
from cloudserve.errors import ModelError, RemoteError, UnreachableError
from cloudserve.local.servers import ServeCommand

Ask = Callable[[bytes], bytes]
"""Sends a request's JSON body and returns the JSON answer; raises RemoteError."""

TIMEOUT = 60.0
NAME = "model"


def ask_url(url: str) -> Ask:
    """Return the Ask of a served model: `http://HOST:PORT/v1/models/NAME`, or a whole URL."""
    is_model = "/v1/models/" in url and ":" not in url.rpartition("/")[2]
    address = f"{url.rstrip('/')}:predict" if is_model else url

    def ask(body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        try:
            request = Request(address, body, headers)  # noqa: S310 - the caller checked the scheme
            with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                data: bytes = answer.read()
                return data
        except HTTPError as error:
            raise RemoteError(
                _reason(error), where=address, status=error.code, hint="correct the request"
            ) from error
        except (URLError, OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error) or type(error).__name__
            raise UnreachableError(
                f"the server does not answer: {reason}",
                where=address,
                hint="check the URL, and that the server runs",
            ) from error

    return ask


def _reason(error: HTTPError) -> str:
    text = error.read().decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    reason = document.get("error", text) if isinstance(document, dict) else text
    return f"HTTP {error.code}: {reason or error.reason}"


@contextmanager
def served_locally(folder: Path) -> Iterator[Ask]:
    """Serve one SavedModel directory in this process until the end of the block.

    Raises ModelError if it does not load, MissingExtraError without `cloudserve[server]`.
    """
    server = _Server(folder)
    server.start()
    try:
        yield ask_url(server.address())
    finally:
        server.stop()


@dataclass(slots=True)
class _Server:
    """A model server on an event loop of its own, in a thread."""

    folder: Path
    _ready: threading.Event = field(default_factory=threading.Event)
    _url: str = ""
    _error: BaseException | None = None
    _end: Callable[[], Any] = field(default=lambda: None)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="golden-server", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def address(self) -> str:
        """Wait until the model is served, and return its URL."""
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self._url

    def stop(self) -> None:
        self._end()
        self._thread.join()

    def _run(self) -> None:
        try:
            registry.local_server().run(self._serve())
        except Exception as error:  # noqa: BLE001 - `address` raises it
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        command = ServeCommand(name=NAME)
        server = registry.local_server().model_server(self.folder, command)
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            await server.start()
            if NAME not in server.models:
                raise ModelError(
                    "the model does not load in the local server",
                    where=str(self.folder),
                    hint="the reason is in the log: cloudserve serve DIRECTORY",
                )
            self._url = f"{server.address}/v1/models/{NAME}"
            self._end = lambda: loop.call_soon_threadsafe(stop.set)
            self._ready.set()
            await stop.wait()
        finally:
            await server.stop()
