"""Batches: several calls of the JSON API in one request (`/batch/storage/v1`).

Source: Cloud Storage, "Sending batch requests": up to 100 calls, no uploads or downloads; the calls
are answered in order, each with its own status.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus

from ....transport.types import Head, Request, Response
from ..http_util import small_body
from .errors import GcsError, invalid

MOST_CALLS = 100
METHODS = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
PREFIX = "/storage/v1/"

Handle = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a batch, and the ID that its answer refers to."""

    id: str
    request: Request


async def answer(request: Request, handle: Handle) -> Response:
    """Answer each call of a batch; raises GcsError for one that is not well-formed."""
    if request.head.method != "POST":
        raise invalid("A batch is a POST")
    calls = _read(request.head, await small_body(request))
    answers = [_part(call, await handle(call.request)) for call in calls]
    boundary = f"batch_{uuid.uuid4().hex}"
    body = b"".join(f"--{boundary}\r\n".encode() + part for part in answers)
    content_type = f"multipart/mixed; boundary={boundary}"
    return Response(200, body + f"--{boundary}--\r\n".encode(), content_type)


def _read(head: Head, content: bytes) -> list[Call]:
    start = f"Content-Type: {head.headers.get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser().parsebytes(start + content)
    parts = message.get_payload()
    if not message.is_multipart() or not isinstance(parts, list):
        raise invalid("Failed to parse batch request: it is not multipart/mixed")
    if not 1 <= len(parts) <= MOST_CALLS:
        raise GcsError(
            400, "invalid", f"The batch has {len(parts)} calls; up to {MOST_CALLS} are allowed."
        )
    return [_call(head, part) for part in parts if isinstance(part, Message)]


def _call(head: Head, part: Message) -> Call:
    payload = part.get_payload(decode=True)
    raw = (payload if isinstance(payload, bytes) else b"").lstrip().replace(b"\r\n", b"\n")
    first, _, rest = raw.partition(b"\n")
    words = first.decode("latin-1").split()
    if len(words) < 2 or words[0] not in METHODS:  # noqa: PLR2004 a method and a target
        raise invalid("Failed to parse batch request: a part is not a request")
    block, _, content = (b"\n" + rest).partition(b"\n\n")
    lines = (line.partition(":") for line in block.decode("latin-1").strip().split("\n"))
    inner = {name.strip().lower(): value.strip() for name, _, value in lines if name.strip()}
    path, _, query = words[1].partition("?")
    if "://" in path:
        path = "/" + path.split("/", 3)[-1]
    if not path.startswith(PREFIX) or "alt=media" in query:
        raise invalid(f"A batch may not have {words[0]} {path[:200]}")
    outer = {name: head.headers[name] for name in ("host", "authorization") if name in head.headers}
    whole = Head(words[0], path, query, {**outer, **inner})
    return Call(part.get("Content-ID", ""), Request(whole, content.rstrip(b"\n")))


def _part(call: Call, response: Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else b""
    phrase = HTTPStatus(response.status).phrase
    identity = call.id.strip("<>")
    lines = [
        "Content-Type: application/http",
        f"Content-ID: <response-{identity}>" if identity else "",
        "",
        f"HTTP/1.1 {response.status} {phrase}",
        f"Content-Type: {response.content_type}" if response.content_type else "",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        f"Content-Length: {len(body)}",
    ]
    head = [line for index, line in enumerate(lines) if line or index == 2]  # noqa: PLR2004 the gap
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body + b"\r\n"
