"""gRPC calls of the load generator: over HTTP/2 frames, or through grpcio."""
