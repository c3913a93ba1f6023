"""Health checks and reflection, without grpcio's server.

Source: TensorFlow Serving's model_servers/server.cc; grpc/doc/health-checking.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool

from ...status import Code, StatusError
from ..grpc_types import Admit, Call, Message, Method
from .routes import AnyMethod, StreamMethod

HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"


def health_methods(names: Sequence[str], stopping: asyncio.Event) -> dict[bytes, AnyMethod]:
    """Return the methods of the health service.

    They report SERVING for the server (""), each service, and the last part of each service's name,
    which TensorFlow Serving uses. Watchers receive NOT_SERVING when the server stops.
    """
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    known = {"", *names, *(name.rpartition(".")[2] for name in names)}

    async def check(_call: Call, request: Message) -> Message:
        if request.service not in known:
            raise StatusError(Code.NOT_FOUND, "service name unknown")
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)

    async def watch(_call: Call, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            is_known = request.service in known
            unknown = HealthCheckResponse.SERVICE_UNKNOWN
            status = HealthCheckResponse.SERVING if is_known else unknown
            yield HealthCheckResponse(status=status)
            await stopping.wait()
            yield HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)
            raise StatusError(Code.UNAVAILABLE, "the server stops")

    return {
        f"/{HEALTH}/Check".encode(): Method(HealthCheckRequest, check),
        f"/{HEALTH}/Watch".encode(): StreamMethod(HealthCheckRequest, watch),
    }


def reflection_methods(
    names: Sequence[str], pool: DescriptorPool, admit: Admit | None
) -> dict[bytes, AnyMethod]:
    """Return the method that reflects these services of a pool, for calls that `admit` accepts."""
    from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

    async def reflect(_call: Call, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        # It imports grpcio, which nothing else needs: not at the start of a server.
        servicer = await asyncio.to_thread(_servicer, [*names, REFLECTION], pool)
        async for request in requests:
            # It has no state between requests, so each call of it handles one.
            for response in servicer.ServerReflectionInfo(iter([request]), None):
                yield response

    path = f"/{REFLECTION}/ServerReflectionInfo"
    return {path.encode(): StreamMethod(ServerReflectionRequest, reflect, admit)}


def _servicer(names: Sequence[str], pool: DescriptorPool) -> Any:
    from grpc_reflection.v1alpha.reflection import ReflectionServicer

    return ReflectionServicer(names, pool)
