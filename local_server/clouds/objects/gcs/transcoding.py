"""Decompressive transcoding: a gzip object is unpacked for a client that does not take gzip.

Source: Cloud Storage, "Transcoding of gzip-compressed files": not with `no-transform`, and a range
is ignored, because the response has the whole object.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping

from ....transport.types import Head, Response
from ..http_util import header_value
from ..store.types import ObjectInfo
from .errors import GcsError
from .request import GcsCall

MOST_BYTES = 256 << 20
"""The largest unpacked object: it is unpacked in memory."""
BLOCK = 1 << 20


def is_transcoded(head: Head, info: ObjectInfo) -> bool:
    """Return whether a download is unpacked."""
    headers = info.properties.headers
    if headers.get("content-encoding", "").strip().lower() != "gzip":
        return False
    if "no-transform" in headers.get("cache-control", "").lower():
        return False
    accepted = head.headers.get("accept-encoding", "").lower()
    return "gzip" not in accepted


def transcoded(call: GcsCall, info: ObjectInfo, described: Mapping[str, str]) -> Response:
    """Return an object's unpacked bytes; raises GcsError if it is not gzip."""
    body = _unpack(call, info)
    dropped = {"content-encoding", "content-type", "accept-ranges"}
    headers = {
        **{name: header_value(each) for name, each in described.items() if name not in dropped},
        "warning": "214 UploadServer gunzipped",
        "vary": "Accept-Encoding",
    }
    sent = b"" if call.head.method == "HEAD" else body
    return Response(200, sent, info.properties.content_type, headers, len(body))


def _unpack(call: GcsCall, info: ObjectInfo) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        with gzip.open(call.store.path(info), "rb") as file:
            while piece := file.read(BLOCK):
                size += len(piece)
                if size > MOST_BYTES:
                    message = f"transcoding of objects above {MOST_BYTES >> 20} MiB"
                    raise GcsError(501, "notImplemented", f"Not implemented: {message}")
                pieces.append(piece)
    except (OSError, EOFError, zlib.error) as error:
        message = "The object's content is not gzip, which its Content-Encoding promises."
        raise GcsError(503, "backendError", message) from error
    return b"".join(pieces)
