"""A channel for an event loop whose calls block, and hence run in threads."""

from __future__ import annotations

import asyncio

from cloudserve.client.transports.channel import Call, Channel, Contract, Reply, Wire


class ThreadedChannel:
    """A transport for threads, used from an event loop: the models of a directory, the SDKs."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def wire(self) -> Wire:
        """Return the form of its requests."""
        return self._channel.wire

    async def describe(self, version: str, seconds: float) -> Contract | None:
        """Read the signatures; see Channel."""
        return await asyncio.to_thread(self._channel.describe, version, seconds)

    async def confirm(self, version: str) -> bool:
        """Compare the signatures' origin; see Channel."""
        return await asyncio.to_thread(self._channel.confirm, version)

    async def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Send a prediction; see Channel."""
        return await asyncio.to_thread(self._channel.send, call, request, seconds)

    async def close(self) -> None:
        """Close the channel."""
        await asyncio.to_thread(self._channel.close)
