"""The descriptor pool that gRPC reflection reads, the same for each transport."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import descriptor_pool

from ..grpc_types import Service


def reflection_pool(services: Sequence[Service]) -> descriptor_pool.DescriptorPool:
    """Return the pool of the services' messages; protobuf's default one for no services.

    The files of health checks and of reflection itself are added to it.
    """
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection_pb2

    requests = (method.request for service in services for method in service.methods.values())
    first = next(requests, None)
    pool = first.DESCRIPTOR.file.pool if first else descriptor_pool.Default()
    for module in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool
