"""HTTP/2 (RFC 9113) for servers: frames, header blocks, flow control, one connection.

Knows neither gRPC nor HTTP/1.1; the application of a `ServerState` decides what a request means.
"""
