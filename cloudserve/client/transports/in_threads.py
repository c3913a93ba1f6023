"""Blocking channels used from an event loop: their calls run in threads."""

from __future__ import annotations

import asyncio

from cloudserve.client.transports.channel import Call, Channel, Contract, Reply, Wire


class ThreadedChannel:
    """Any Channel as an AsyncChannel: models in this process, and the clouds' SDKs, block."""

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
        """Return whether the answering model has the signatures; see Channel."""
        return await asyncio.to_thread(self._channel.confirm, version)

    async def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Send a prediction; see Channel."""
        return await asyncio.to_thread(self._channel.send, call, request, seconds)

    async def close(self) -> None:
        """Close the channel."""
        await asyncio.to_thread(self._channel.close)
