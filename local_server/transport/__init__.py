"""Bytes in, bytes out: HTTP/1.1 over httptools. Faces import `types` alone.

server   listens, starts and stops        loop     uvloop, or asyncio's own loop
http1    one connection, phase by phase   limits   what one client may cost
head     bytes to heads (httptools)       refusal  what is answered without the application
framing  where a body ends                writer   responses to bytes, files to sockets
body     a streamed body, bounded         types    the seam
"""
