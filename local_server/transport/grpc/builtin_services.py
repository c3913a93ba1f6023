"""Services that a gRPC server adds to its application: health checks and reflection.

Source: TensorFlow Serving's model_servers/server.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor_pool import DescriptorPool

from ...status import StatusError
from ..grpc_types import Admit, Call

STATUS_CODES = {status.value[0]: status for status in grpc.StatusCode}
"""grpcio's status codes by number."""


def read_call(path: str, context: Any) -> Call:
    """Return the call that grpcio's context describes."""
    metadata = tuple((key, value) for key, value in context.invocation_metadata() or ())
    return Call(path, metadata, context.time_remaining(), context.peer())


async def add_health(server: Any, names: Sequence[str]) -> str:
    """Add the health service; return its name.

    It reports SERVING for the server (""), each service, and the last part of each service's name,
    which TensorFlow Serving uses.
    """
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    class Servicer(health.aio.HealthServicer):  # type: ignore[misc]  # grpcio has no types
        async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802  the method's name
            """Return the text of gRPC's C++ implementation for an unknown service."""
            if request.service not in known:
                await context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
            return await super().Check(request, context)

    known = {"", *names, *(name.rpartition(".")[2] for name in names)}
    servicer = Servicer()
    for name in known:
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return str(health.SERVICE_NAME)


def add_reflection(
    server: Any, names: Sequence[str], pool: DescriptorPool, admit: Admit | None = None
) -> None:
    """Add reflection of these services of a pool, for calls that `admit` accepts."""
    from grpc_reflection.v1alpha import _async, reflection, reflection_pb2_grpc

    path = f"/{reflection.SERVICE_NAME}/ServerReflectionInfo"

    class Servicer(_async.ReflectionServicer):  # type: ignore[misc]  # grpcio has no types
        async def ServerReflectionInfo(self, requests: Any, context: Any) -> Any:  # noqa: N802  as above
            """Answer if the call is admitted."""
            try:
                if admit is not None:
                    admit(read_call(path, context))
            except StatusError as error:
                await context.abort(STATUS_CODES[error.code], error.message)
            async for answer in super().ServerReflectionInfo(requests, context):
                yield answer

    servicer = Servicer([*names, reflection.SERVICE_NAME], pool)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
