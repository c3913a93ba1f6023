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
    """Start a server, announce it, and stop it in order on SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    try:
        announce()
        await stop.wait()
        click.echo("stopping", err=True)
    finally:
        await server.stop()
