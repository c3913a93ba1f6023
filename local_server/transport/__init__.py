"""Bytes in, bytes out: HTTP/1.1 over httptools.

    server   listens, starts and stops        loop     uvloop, or asyncio's own loop
    http1    one connection                   phase    where it is, and for how long
    head     bytes to heads (httptools)       framing  where a body ends
    body     gathered or streamed             writer   responses to bytes
    inlet    holding a client back            outlet   waiting for a slow one, files
    limits   what one client may cost         refusal  what is answered without the application
    hub      what connections share           types    the seam
    tls      certificates                     handshake a connection before it is encrypted

Faces (protocols, clouds) import `types` alone; composition roots import `server` and `loop`.
"""
