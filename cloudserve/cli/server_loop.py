"""The foreground loop of a server: start, announce, wait for a signal, stop."""

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
    """A server of `serve` or `emulate`."""

    def start(self) -> Awaitable[None]:
        """Return once the server answers; raises UserError if the port is in use."""
        ...

    def stop(self) -> Awaitable[None]:
        """Finish the requests in flight, then close."""
        ...


class ModelServer(Server, Protocol):
    """A server that runs models in threads, which cannot be stopped."""

    @property
    def is_stuck(self) -> bool:
        """Whether a load or a run was still in progress when `stop` returned."""
        ...


def exit_cleanly_on_sigterm() -> None:
    """Make SIGTERM exit with 0 from now on, even before the server has started."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)


def run_model_server(server: ModelServer, announce: Callable[[], None]) -> None:
    """Run a model server until it is stopped; exit with 0 at once if it is stuck then.

    The interpreter joins its threads on exit, so it would wait for ever for a run that never ends.
    """
    from cloudserve import registry

    registry.server("run")(_run_then_ignore_signals(server, announce))
    if server.is_stuck:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _run_then_ignore_signals(server: Server, announce: Callable[[], None]) -> None:
    try:
        await run_until_stopped(server, announce)
    finally:
        # Closing the loop would restore the default handlers, and a second signal would kill the
        # process.
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def run_until_stopped(server: Server, announce: Callable[[], None]) -> None:
    """Start a server, announce it, and stop it on SIGINT or SIGTERM.

    A signal during the start cancels the start.
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
