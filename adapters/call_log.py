"""A line in the log for each call to a cloud, at level DEBUG: what `--verbose` shows.

The lines name operations, URLs without their queries, and statuses; never headers, bodies, keys.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)
_BEGUN = "cloudserve_begun"


def log_call(what: str, status: object, seconds: float, request: str = "") -> None:
    """Log a call, its status and its duration; `request` is the service's name for the request."""
    named = f" (request {request})" if request else ""
    logger.debug("%s: %s in %.0f ms%s", what, status, 1000 * seconds, named)


def log_botocore(client: Any) -> None:
    """Log the calls of a boto3 client, by the events of botocore (Boto3 guide, "Extensibility")."""
    service = client.meta.service_model.service_id

    def begin(*, context: dict[str, Any], **_: Any) -> None:
        context[_BEGUN] = time.monotonic()

    def end(*, model: Any, parsed: Any, http_response: Any, context: Any, **_: Any) -> None:
        seconds = time.monotonic() - context.get(_BEGUN, time.monotonic())
        code = (parsed or {}).get("Error", {}).get("Code")
        status = f"{http_response.status_code} {code}" if code else http_response.status_code
        request = (parsed or {}).get("ResponseMetadata", {}).get("RequestId", "")
        log_call(f"{service} {model.name}", status, seconds, request)

    def fail(*, event_name: str, exception: BaseException, context: Any, **_: Any) -> None:
        seconds = time.monotonic() - context.get(_BEGUN, time.monotonic())
        operation = event_name.rpartition(".")[2]
        log_call(f"{service} {operation}", type(exception).__name__, seconds)

    client.meta.events.register("before-call", begin)
    client.meta.events.register("after-call", end)
    client.meta.events.register("after-call-error", fail)


def log_requests(session: Any) -> None:
    """Log the calls of a session of requests, by its response hook."""

    def end(answer: Any, *_: Any, **__: Any) -> None:
        where = urlsplit(answer.url)
        host = where.netloc.rpartition("@")[2]  # without a password in the URL of an endpoint
        what = f"{answer.request.method} {where.scheme}://{host}{where.path}"
        log_call(what, answer.status_code, answer.elapsed.total_seconds())

    session.hooks["response"].append(end)


@contextmanager
def logged(what: str) -> Iterator[None]:
    """Log a call that is made in this context: `ok`, or its HTTP status or exception."""
    begun, status = time.monotonic(), "ok"
    try:
        yield
    except Exception as error:
        status = str(getattr(error, "status_code", type(error).__name__))
        raise
    finally:
        log_call(what, status, time.monotonic() - begun)
