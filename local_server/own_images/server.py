"""A container of the user's own: its process, its health checks, its requests over HTTP.

For one event loop. The process is started again, in the background, when a request finds that it
has ended: both platforms restart containers.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from cloudserve.errors import ModelError

from .process import Command, CommandProcess

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_AT_ONCE = 32
"""Requests under way at the same time."""
_BETWEEN_CHECKS = 0.1
_LONGEST_SECONDS = 3600.0
_END_SECONDS = 5.0
"""Between a connection that breaks and the news that its process has ended, on a busy machine."""
_GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL. SageMaker waits 30 (developer guide, "Custom Inference Code")."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a container is started, and what makes it healthy."""

    command: Command
    port: int
    health: str
    """The path of its health checks."""
    start_seconds: float
    """How long it may take until the first check succeeds."""
    check_seconds: float
    """How long a check may take."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the command answered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in small letters."""


class NoAnswerError(ModelError):
    """The command did not answer a request: it ended, closed the connection, or listens nowhere."""


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port


class CommandServer:
    """One container."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._process = CommandProcess(launch.command)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "container")
        self._stopping = threading.Event()
        self._open: set[http.client.HTTPConnection] = set()
        self._guard = threading.Lock()
        self._restart: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the command and wait until it is healthy; nothing is left after a failure.

        Raises ModelError with the reason.
        """
        try:
            await self._run(self._start)
        except BaseException:
            await self.stop()
            raise

    def _start(self) -> None:
        try:
            self._process.start()
            self._await_health()
        except BaseException:
            # Stopped in the meantime or not: this thread is the one that knows of the process.
            self._process.stop(0.0)
            raise

    def _await_health(self) -> None:
        end = time.monotonic() + self._launch.start_seconds
        while True:
            problem = self._check()
            if not problem:
                return
            if self._process.has_ended():
                raise ModelError(self._process.end())
            if time.monotonic() > end:
                raise ModelError(
                    f"`{self._launch.command}` was not healthy within"
                    f" {self._launch.start_seconds:g} seconds: {problem}{self._process.said()}"
                )
            if self._stopping.wait(_BETWEEN_CHECKS):
                raise ModelError("the container is stopped")

    def _check(self) -> str:
        """Return what is wrong with the container's health, "" for nothing."""
        launch = self._launch
        try:
            reply = self._exchange("GET", launch.health, b"", {}, launch.check_seconds)
        except ConnectionRefusedError:
            return f"nothing listens on port {launch.port}"
        except (OSError, http.client.HTTPException) as error:
            return f"{launch.health} did not answer: {error or type(error).__name__}"
        return "" if reply.status == HTTPStatus.OK else f"{launch.health} answered {reply.status}"

    async def is_healthy(self) -> bool:
        """Return whether the container answers its health check."""
        return not self._process.has_ended() and not await self._run(self._check)

    async def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Have a request answered; raises NoAnswerError."""
        if self._process.has_ended():
            self._begin_restart()
            raise NoAnswerError(self._process.end())
        try:
            return await self._run(partial(self.ask_here, method, path, body, headers))
        except NoAnswerError:
            if self._process.has_ended():
                self._begin_restart()
            raise

    def ask_here(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Have a request answered in this thread; raises NoAnswerError."""
        try:
            return self._exchange(method, path, body, headers, _LONGEST_SECONDS)
        except (OSError, http.client.HTTPException) as error:
            self._process.wait_for_end(_END_SECONDS)
            how = (
                self._process.end()
                if self._process.has_ended()
                else f"{type(error).__name__}: {error}"
            )
            raise NoAnswerError(f"{self._launch.command.name} did not answer: {how}") from error

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        connection = http.client.HTTPConnection(_HOST, self._launch.port, timeout=seconds)
        with self._guard:
            self._open.add(connection)
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, answer.read(), named)
        finally:
            with self._guard:
                self._open.discard(connection)
            connection.close()

    def _begin_restart(self) -> None:
        if self._restart is None or self._restart.done():
            self._restart = asyncio.create_task(self._start_again())

    async def _start_again(self) -> None:
        command = self._launch.command
        logger.warning("%s: %s; it is started again", command.name, self._process.end())
        await self._run(partial(self._process.stop, 0.0))
        self._process = CommandProcess(command)
        try:
            await self._run(self._start)
        except ModelError as error:
            logger.warning("%s did not start again: %s", command.name, error.message)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def stop(self) -> None:
        """End the command and all that it started; requests under way get no answer."""
        self._stopping.set()
        if self._restart is not None:
            await asyncio.gather(self._restart, return_exceptions=True)
        await asyncio.to_thread(self._process.stop, _GRACE_SECONDS)
        with self._guard:
            left = tuple(self._open)
        for connection in left:
            # What left the process group keeps the connection open, and a thread with it.
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self._threads.shutdown(wait=False)
