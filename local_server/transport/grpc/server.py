"""A gRPC server over grpcio: start, addresses, stop within a deadline.

grpcio costs 200 us of CPU a call, twenty times a native HTTP/2. Only
this folder imports it, so that it can be replaced.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio

from ...status import StatusError
from ..grpc_types import Method, Service, details_of
from ..tls import Tls, TlsSource, server_context
from .addresses import check_socket, refused_address
from .base import BaseGrpcServer
from .builtin_services import STATUS_CODES, add_health, add_reflection, read_call
from .call import answer
from .reflection_pool import reflection_pool

_DETAILS = "grpc-status-details-bin"
_UNLIMITED = -1
# TensorFlow Serving takes int32's 2 GiB. A message that is compressed in transit expands up to a
# thousandfold, and grpcio holds it twice. `--grpc_channel_arguments` raises the limit.
_MOST_RECEIVED = 2**29
_ARGUMENTS: Mapping[str, int | str] = MappingProxyType(
    {
        "grpc.max_receive_message_length": _MOST_RECEIVED,
        # grpcio's unlimited is its int32: 2 GiB, as TensorFlow Serving's `SetMaxMessageSize`.
        "grpc.max_send_message_length": _UNLIMITED,
        # Otherwise a second server would share the port, and calls go to either.
        "grpc.so_reuseport": 0,
    }
)
_Serve = Callable[[bytes, Any], Awaitable[bytes]]


class GrpcServer(BaseGrpcServer):
    """Serves over grpcio."""

    _server: Any = None

    async def _open(self, services: Sequence[Service]) -> None:
        arguments = {**_ARGUMENTS, **self._options.channel_arguments}
        server = grpc.aio.server(options=list(arguments.items()))
        try:
            await self._register(server, services)
            self._listen(server)
            await server.start()
        except BaseException:
            await server.stop(None)
            raise
        self._server = server

    async def _close(self, drain_seconds: float) -> None:
        await self._server.stop(drain_seconds)

    async def _register(self, server: Any, services: Sequence[Service]) -> None:
        for service in services:
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(_serve(method, service, name))
                for name, method in service.methods.items()
            }
            handler = grpc.method_handlers_generic_handler(service.name, handlers)
            server.add_generic_rpc_handlers((handler,))
        names = [service.name for service in services]
        if self._options.health:
            names.append(await add_health(server, names))
        add_reflection(server, names, reflection_pool(services), self._options.admit)

    def _listen(self, server: Any) -> None:
        tls, socket_path = self._options.tls, self._options.socket_path
        credentials = _credentials(tls) if tls else None
        if self._requested_port is not None:
            self._port = _open(server, self._address(self._requested_port), credentials)
        if socket_path is not None:
            check_socket(socket_path)
            _open(server, f"unix:{socket_path}", credentials)


def _serve(method: Method, service: Service, name: str) -> _Serve:
    path = f"/{service.name}/{name}"

    async def serve(body: bytes, context: Any) -> bytes:
        try:
            return await answer(method, read_call(path, context), body)
        except StatusError as error:
            if details := details_of(error):
                context.set_trailing_metadata(((_DETAILS, details),))
            await context.abort(STATUS_CODES[error.code], error.message)
            raise

    return serve


def _open(server: Any, address: str, credentials: Any) -> int:
    try:
        if credentials is None:
            port: int = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except (RuntimeError, ValueError) as error:
        raise refused_address(address) from error
    if port == 0:
        raise refused_address(address)
    return port


def _credentials(source: TlsSource) -> Any:
    """Return grpcio's credentials, which fetch the certificates at each connection."""
    shown = source.current()
    # grpcio would report an invalid certificate only to each client.
    server_context(shown)
    required = shown.verify_clients

    def renew() -> Any:
        """Return a new configuration, or None if it is unchanged; called by gRPC's threads."""
        nonlocal shown
        current = source.current()
        if current is shown:
            return None
        shown = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(_configuration(shown), renew, required)


def _configuration(tls: Tls) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(tls.key, tls.certificate)], root_certificates=tls.client_ca or None
    )
