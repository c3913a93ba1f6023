"""HTTP/1.1 over httptools and gRPC over grpcio.

    types, grpc_types   the seam to the applications (protocols, clouds)
    http, grpc          the servers
    tls, tls_listener   certificates, and connections during their handshake
    limits              what one client may cost
    loop                uvloop, or asyncio's own loop

Applications import `types` and `grpc_types` alone; composition roots import servers and `loop`.
"""
