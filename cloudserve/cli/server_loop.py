"""Run a server in the foreground until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import NoReturn, Protocol

import click

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(Protocol):
    """What `serve` and `emulate` run: start() returns when it answers."""

    def start(self) -> Awaitable[None]:
        """Start to listen; raises UserError when the port is in use."""
        ...

    def stop(self) -> Awaitable[None]:
        """Let requests in flight end, then close."""
        ...


class ModelServer(Server, Protocol):
    """A server whose models run in threads, which nothing can stop."""

    @property
    def is_stuck(self) -> bool:
        """Whether a load or a run went on when `stop` returned."""
        ...


def end_well_on_sigterm() -> None:
    """Let SIGTERM end the process with 0 from now on: also while a server is still put together."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)


def run_model_server(server: ModelServer, announce: Callable[[], None]) -> None:
    """Run a model server until it is stopped, and end the process with 0 if it is stuck then.

    An interpreter waits for its threads before it ends, and so for a run without an end for ever.
    """
    from cloudserve import registry

    registry.server("run")(_run_to_the_end(server, announce))
    if server.is_stuck:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _run_to_the_end(server: Server, announce: Callable[[], None]) -> None:
    try:
        await run_until_stopped(server, announce)
    finally:
        # The loop's end would give them back their default, which is not to end well.
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def run_until_stopped(server: Server, announce: Callable[[], None]) -> None:
    """Start a server, announce it, and stop it in order on SIGINT or SIGTERM.

    A signal during the start ends the start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    stopped = asyncio.ensure_future(stop.wait())
    started = asyncio.ensure_future(server.start())
    await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        started.cancel()
        await asyncio.wait({started})
        return
    try:
        await started
        announce()
        await stopped
        click.echo("stopping", err=True)
    finally:
        stopped.cancel()
        await server.stop()
