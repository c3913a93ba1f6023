"""gRPC: the server, calls, health checks and reflection. Imports nothing of `http`."""
