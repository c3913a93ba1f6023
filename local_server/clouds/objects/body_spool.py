"""Request bodies on their way to disk: hashed and written in threads, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from .store.blobs import BlobWriter

BATCH = 256 << 10
"""Bytes worth a thread; a body buffers at most two batches and one piece."""


async def spool(pieces: AsyncIterator[bytes], writer: BlobWriter) -> None:
    """Write pieces as they arrive; aborts the writer if they break off."""
    try:
        await pour(pieces, writer)
    except BaseException:
        writer.abort()
        raise


async def pour(pieces: AsyncIterator[bytes], writer: BlobWriter) -> None:
    """Write pieces as they arrive. If they break off, those that arrived are still written."""
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    batch: list[bytes] = []
    size = 0
    try:
        async for piece in pieces:
            batch.append(piece)
            size += len(piece)
            if size >= BATCH:
                await _done(writing)
                writing = loop.run_in_executor(None, _write, writer, batch)
                batch, size = [], 0
    finally:
        try:
            await _done(writing)
        finally:
            _write(writer, batch)


async def _done(writing: asyncio.Future[None] | None) -> None:
    """Wait until the thread ends, even if the waiter is cancelled: the thread uses the file."""
    if writing is None:
        return
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        raise


def _write(writer: BlobWriter, batch: Sequence[bytes]) -> None:
    for piece in batch:
        writer.write(piece)
