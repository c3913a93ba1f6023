"""Options of a gRPC server, the same for each transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .grpc_types import Admit
from .tls import TlsSource


@dataclass(frozen=True, slots=True)
class GrpcServerOptions:
    """What a server offers besides its methods on a TCP port."""

    socket_path: Path | None = None
    """A unix socket to listen on as well."""
    tls: TlsSource | None = None
    """Certificates, for the port and the socket alike."""
    health: bool = False
    """Serve `grpc.health.v1.Health`, without authentication."""
    admit: Admit | None = None
    """Checks calls of the server's reflection; the application's methods have their own."""
    channel_arguments: Mapping[str, int | str] = field(default_factory=dict)
    """grpcio's channel arguments; they take precedence over the server's."""
