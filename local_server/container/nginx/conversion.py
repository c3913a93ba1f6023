"""Conversion of request bodies to TensorFlow Serving's JSON, as in the image's nginx script.

Source: tensorflowServing.js (`json_request`, `is_tfs_json`, `json_lines_request`,
`generic_json_request`). The script treats bodies as text and never parses them: invalid JSON is
passed to TensorFlow Serving, which rejects it.
"""

from __future__ import annotations

import re

from ..release import Release
from ..types import RefusedError
from .csv_rows import csv_rows_2_19, csv_rows_2_20
from .js import LINE_END, SPACE, WHITE

_AS_IT_IS = re.compile(rf'"(?:instances|inputs|examples)"{SPACE}*:')
# Objects or lists with only white space between them.
_NEXT_LINE = re.compile(rf"[}}\]]{SPACE}*[\[{{]")
_ROWS = re.compile(rf"{SPACE}*\[{SPACE}*\[")
_JSON_TYPES = {"application/json", "application/jsonlines", "application/jsons"}
_CSV_TYPE = "text/csv"


def to_tfserving(release: Release, content_type: str | None, body: bytes) -> bytes:
    """Convert a body to TensorFlow Serving's JSON; raises RefusedError (415) for other types."""
    kind = media_type(release, content_type)
    if kind in _JSON_TYPES:
        return _from_json(_text(body)).encode()
    if kind == _CSV_TYPE:
        rows = csv_rows_2_19 if release is Release.V2_19 else csv_rows_2_20
        return f'{{"instances":[{rows(_text(body))}]}}'.encode()
    raise RefusedError(415, f"Unsupported Media Type: {kind or 'Unknown'}")


def media_type(release: Release, content_type: str | None) -> str:
    """Return a Content-Type as the image compares it: 2.20 ignores parameters and case."""
    if release is Release.V2_19:
        return content_type or ""
    return (content_type or "").partition(";")[0].strip(WHITE).lower()


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _from_json(text: str) -> str:
    if _AS_IT_IS.search(text):
        return text
    if _NEXT_LINE.search(text):
        return _from_lines(text)
    instances = text if _ROWS.match(text) else f"[{text}]"
    return f'{{"instances":{instances}}}'


def _from_lines(text: str) -> str:
    lines = LINE_END.split(text.strip(WHITE))
    joined = ",".join(line for line in (line.strip(WHITE) for line in lines) if line)
    # A single line is not put into a list: it must already be one.
    return f'{{"instances":{joined}}}' if len(lines) == 1 else f'{{"instances":[{joined}]}}'
