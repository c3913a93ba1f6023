"""Errors of addresses that a gRPC server cannot listen on, the same for each transport."""

from __future__ import annotations

from pathlib import Path

from cloudserve.errors import UserError

from ..sockets import bind


def refused_address(address: str) -> UserError:
    """Return the error of an address that cannot be bound."""
    return UserError(
        f"cannot listen for gRPC on {address}",
        hint="stop what listens there, choose another address, or port 0 for any free one; "
        "with TLS, check that key and certificate belong together",
    )


def check_address(host: str, port: int) -> None:
    """Raise UserError if the address cannot be bound at present."""
    try:
        bind(host, port).close()
    except (OSError, OverflowError) as error:
        raise refused_address(f"{host}:{port}") from error


def check_socket(path: Path) -> None:
    """Refuse a path that is not a socket: grpcio's error would not say why."""
    if path.exists() and not path.is_socket():
        raise UserError(
            "this is not a socket", where=str(path), hint="move it away, or name another path"
        )
