"""Senders of golden requests: to a URL, to the local server, to a model on a target."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from cloudserve import registry
from cloudserve.errors import ModelError, RemoteError, UnreachableError, UserError
from cloudserve.local.servers import ServeCommand

Ask = Callable[[bytes], bytes]
"""Sends a request's JSON body and returns the JSON answer; raises RemoteError."""


@runtime_checkable
class MethodAsk(Protocol):
    """An Ask that also sends requests of other methods than predict."""

    def __call__(self, body: bytes) -> bytes:
        """Send a predict request."""
        ...

    def by_method(self, method: str) -> Ask:
        """Return what sends `classify` or `regress` requests; raises UserError if it cannot."""
        ...


TIMEOUT = 60.0
NAME = "model"


def ask_url(url: str) -> MethodAsk:
    """Return what asks a served model: `http://HOST:PORT/v1/models/NAME`, or a whole URL."""
    return _Url(url.rstrip("/") if _is_model(url) else url)


def _is_model(url: str) -> bool:
    return "/v1/models/" in url and ":" not in url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _Url:
    """A served model, or a whole URL (a MethodAsk)."""

    url: str

    def __call__(self, body: bytes) -> bytes:
        return _post(f"{self.url}:predict" if _is_model(self.url) else self.url, body)

    def by_method(self, method: str) -> Ask:
        if not _is_model(self.url):
            raise UserError(
                f"{method} requests are sent to a model's URL, which has no method",
                where=self.url,
                hint="give http://HOST:PORT/v1/models/NAME",
            )
        return partial(_post, f"{self.url}:{method}")


def _post(address: str, body: bytes) -> bytes:
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
