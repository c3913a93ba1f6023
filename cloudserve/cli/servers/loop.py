"""The foreground loop of a server: start, announce, wait for a signal, stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import click

from cloudserve.local.servers import RunsModels, Server

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def exit_cleanly_on_sigterm() -> None:
    """Make SIGTERM exit with 0 from now on, even before the server has started."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)


def run_model_server(server: RunsModels, announce: Callable[[], None]) -> None:
    """Run a model server until it is stopped; exit with 0 immediately if it is stuck then.

    The interpreter joins its threads on exit, so it would wait forever for a run that never ends.
    """
    from cloudserve import registry

    spare_old_objects()
    registry.local_server().run(_run_then_ignore_signals(server, announce))
    leave_if_stuck(server, 0)


def leave_if_stuck(server: RunsModels, code: int) -> None:
    """Exit with a code immediately if a stopped server still runs a model in a thread.

    Both the loop and the interpreter join their threads when they end.
    """
    if not server.is_stuck:
        return
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def spare_old_objects() -> None:
    """Exclude the existing objects from garbage collections.

    Many requests in flight start a full collection every few thousand requests, which would look at
    all imported modules and stop the requests for tens of milliseconds. Call it before models are
    loaded, because these are to be freed.
    """
    gc.collect()
    gc.freeze()


async def _run_then_ignore_signals(server: Server, announce: Callable[[], None]) -> None:
    try:
        await run_until_stopped(server, announce)
    finally:
        # Closing the loop would restore the default handlers, and a second signal would kill the
        # process.
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def run_models_until_stopped(server: RunsModels, announce: Callable[[], None]) -> None:
    """Run a server of models as `run_until_stopped`; exit with 0 if it is stuck then."""
    await run_until_stopped(server, announce)
    leave_if_stuck(server, 0)


async def run_until_stopped(server: Server, announce: Callable[[], None]) -> None:
    """Start a server, announce it, and stop it on SIGINT or SIGTERM.

    A signal during the start cancels the start.
    """
    signals = received_signals()
    try:
        if not await start_unless(server, signals):
            return
        try:
            announce()
            await signals.get()
            click.echo("stopping", err=True)
        finally:
            await server.stop()
    finally:
        skip_exit_handlers()


def skip_exit_handlers() -> None:
    """End the process without C's exit handlers, after Python has ended. Call it last.

    In them TensorFlow's library destroys its global objects, such as oneDNN's cache of primitives.
    A thread that still runs a model then crashes the process or corrupts its heap, and Python does
    not wait for daemon threads. Python itself ends as always: it joins the other threads, calls the
    functions of `atexit` and flushes its files.

    Other servers do not run these handlers either: tensorflow_model_server does not handle SIGTERM
    (tensorflow/serving, issue 1853), and uvicorn, after its shutdown, raises the signal again with
    the default handler (uvicorn/server.py, `capture_signals`).
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    on_exit = getattr(libc, "on_exit", None)
    if on_exit is not None:  # glibc's; the handler that is registered last is called first
        on_exit(ctypes.cast(libc["_exit"], ctypes.c_void_p), None)


def received_signals() -> asyncio.Queue[signal.Signals]:
    """Return the queue in which SIGINT and SIGTERM arrive from now on."""
    queue: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, queue.put_nowait, number)
    return queue


async def start_unless(server: Server, signals: asyncio.Queue[signal.Signals]) -> bool:
    """Start a server; return False, with the signal in the queue, if a signal cancelled it."""
    started = asyncio.ensure_future(server.start())
    stopped = asyncio.ensure_future(signals.get())
    await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        signals.put_nowait(stopped.result())
    stopped.cancel()
    if started.done():
        await started
        return True
    started.cancel()
    await asyncio.wait({started})
    return False
