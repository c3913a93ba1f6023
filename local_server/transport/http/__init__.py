"""HTTP/1.1: connections, parsing, flow control. Imports nothing of `grpc`."""
