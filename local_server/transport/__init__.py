"""Bytes in, bytes out: HTTP/1.1 over httptools. Faces import `types` alone."""
