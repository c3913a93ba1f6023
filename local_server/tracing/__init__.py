"""OpenTelemetry traces of a server's requests (the extra `otel`); off unless they are asked for.

Imported by the composition root and the middleware. Only `open_tracer` imports OpenTelemetry.
"""
