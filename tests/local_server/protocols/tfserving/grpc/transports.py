"""The gRPC transports under test."""

from cloudserve.local_server.transport.grpc.server import GrpcServer
from cloudserve.local_server.transport.grpc_http2.server import NativeGrpcServer

TRANSPORTS = {"native": NativeGrpcServer, "grpcio": GrpcServer}


class Chosen:
    """The server class that the fixture `transport` selects."""

    server = NativeGrpcServer
