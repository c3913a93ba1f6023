"""Run a server in the foreground until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

import click


class Server(Protocol):
    """What `serve` and `emulate` run: start() returns when it answers."""

    def start(self) -> Awaitable[None]:
        """Start to listen; raises UserError when the port is in use."""
        ...

    def stop(self) -> Awaitable[None]:
        """Let requests in flight end, then close."""
        ...


async def run_until_stopped(server: Server, announce: Callable[[], None]) -> None:
    """Start a server, announce it, and stop it in order on SIGINT or SIGTERM.

    A signal during the start ends the start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
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
