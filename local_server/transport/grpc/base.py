"""What the gRPC servers of both transports have in common: an application and its addresses."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..grpc_options import GrpcServerOptions
from ..grpc_types import GrpcApplication, Service
from .addresses import refused_address

_PORTS = range(65536)


class BaseGrpcServer(ABC):
    """Serves an application's methods on a TCP address, and on a unix socket if one is named."""

    def __init__(
        self,
        app: GrpcApplication,
        host: str = "127.0.0.1",
        port: int | None = 0,
        options: GrpcServerOptions | None = None,
    ) -> None:
        """Take the application and the address; `port` 0 selects a free port, None opens none.

        Nothing is opened before `start`.
        """
        self._app = app
        self._host = host
        self._requested_port = port
        self._options = options or GrpcServerOptions()
        self._port = 0
        self._is_started = False

    @property
    def port(self) -> int:
        """Return the port, or 0 if the server does not listen on TCP."""
        return self._port

    @property
    def address(self) -> str:
        """Return "host:port", an IPv6 host in brackets."""
        return self._address(self._port)

    async def start(self) -> None:
        """Listen. Raises UserError if the address cannot be bound or a certificate is invalid.

        Nothing is left open then.
        """
        if self._is_started:
            raise RuntimeError("the server is started already")
        services = await asyncio.to_thread(self._app.services)
        if self._requested_port is not None and self._requested_port not in _PORTS:
            raise refused_address(self._address(self._requested_port))
        try:
            await self._open(services)
        except BaseException:
            self._port = 0
            raise
        self._is_started = True

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Refuse new calls, let those in flight finish, and cancel them after `drain_seconds`."""
        if self._is_started:
            self._is_started = False
            await self._close(drain_seconds)

    @abstractmethod
    async def _open(self, services: Sequence[Service]) -> None:
        """Listen, or raise and leave nothing open."""

    @abstractmethod
    async def _close(self, drain_seconds: float) -> None:
        """Stop what `_open` started."""

    def _address(self, port: int) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{port}"
