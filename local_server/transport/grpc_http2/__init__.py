"""gRPC on this project's HTTP/2: the same server as `grpc`, without grpcio."""
