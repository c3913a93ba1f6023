"""Spans of requests, continued from the caller's `traceparent` and exported by OTLP over HTTP.

Names and attributes: OpenTelemetry semantic conventions, "HTTP server spans", "RPC spans"; the
header is that of W3C Trace Context. The variables `OTEL_…` choose the collector, the sampler and
the service name (OpenTelemetry, "Environment variable specification").
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from threading import Thread
from typing import Any

from cloudserve.errors import UserError

from ..inference.observation import Observation

logger = logging.getLogger(__name__)

Attributes = Mapping[str, str | int | float]
_SERVICE = "cloudserve"
_PROTOCOL = "http/protobuf"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Span:
    """The span of one request; its methods may be called in any thread."""

    __slots__ = ("_error", "_span")

    def __init__(self, span: Any, error: Any) -> None:
        """Take OpenTelemetry's span, and its status of a failure."""
        self._span = span
        self._error = error

    def observe(self, observation: Observation) -> None:
        """Add what ran: the model, its version, and the time it took (an Observer)."""
        servable = observation.servable
        attributes: dict[str, str | int | float] = {
            "cloudserve.model": observation.spec.name,
            "cloudserve.method": str(observation.method),
            "cloudserve.run.seconds": observation.run_seconds,
        }
        if servable is not None:
            attributes["cloudserve.version"] = servable.version
        if observation.signature:
            attributes["cloudserve.signature"] = observation.signature
        self._span.set_attributes(attributes)

    def end(self, attributes: Attributes, error: str = "") -> None:
        """End the span; `error` is the type of a failure of the server."""
        self._span.set_attributes(attributes)
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(self._error)
        self._span.end()


class Tracer:
    """Starts the spans of a server, and exports them in a thread of its own."""

    def __init__(self, provider: Any) -> None:
        """Take OpenTelemetry's provider."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, Status, StatusCode

        self._provider = provider
        self._tracer = provider.get_tracer("cloudserve")
        self._extract = extract
        self._kind = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)

    def start(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span:
        """Start a span, as a child of the one that the headers name."""
        span = self._tracer.start_span(
            name, context=self._extract(headers), kind=self._kind, attributes=attributes
        )
        return Span(span, self._failed)

    def close(self, seconds: float) -> None:
        """Export what is queued, and stop; what the collector does not take in time is lost."""
        # OpenTelemetry's own timeouts do not bound an export, which is repeated for ten seconds.
        last = Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        last.start()
        last.join(seconds)
        if last.is_alive():
            logger.warning("the last traces are lost: the collector has not taken them in time")


def open_tracer() -> Tracer:
    """Return a tracer that exports as the variables `OTEL_…` say.

    Raises UserError if OpenTelemetry is not installed, or if a variable asks for another protocol
    than OTLP over HTTP.
    """
    for variable in _PROTOCOLS:
        if os.environ.get(variable, _PROTOCOL) != _PROTOCOL:
            raise UserError(
                f"traces are exported by {_PROTOCOL} only, not by {os.environ[variable]}",
                where=variable,
                hint="leave the variable out, and name the collector's port for HTTP (4318)",
            )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UserError(
            "traces need OpenTelemetry, which is not installed",
            where="--otel",
            hint="pip install 'cloudserve[otel]'",
        ) from error
    service = os.environ.get("OTEL_SERVICE_NAME") or _SERVICE
    resource = Resource.create({"service.name": service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracer(provider)
