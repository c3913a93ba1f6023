"""Records of a batch transform: splitting the input, assembling and joining the answers.

Source: the SageMaker guide, "Use batch transform" and "Associate prediction results with input
records"; TFRecord framing: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudserve.errors import ModelError

_FIELD = rb'(?:"(?:[^"]|"")*"|[^",]*)'
_CSV_LINE = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*")
_LENGTH = struct.Struct("<Q")
_TFRECORD_OVERHEAD = 4 + 4  # the checksums of the length and of the data


@dataclass(frozen=True, slots=True)
class Payload:
    """The records and the body of one request."""

    records: tuple[bytes, ...]
    body: bytes


def decompress(content: bytes, compression: str) -> bytes:
    """Return an input's content; raises ModelError if it is not valid gzip."""
    if compression != "Gzip":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"the input is not gzip: {error}") from error


def payloads(content: bytes, split: str, limit: int, *, many: bool) -> Iterator[Payload]:
    """Yield an object's requests; raises ModelError for a record above `limit` bytes.

    With `many`, a request holds as many records as the limit permits (MultiRecord).
    """
    if split == "None":
        yield _payload([content], b"", limit)
        return
    glue = b"\n" if split == "Line" else b""
    waiting: list[bytes] = []
    size = 0
    for record in _records(content, split):
        grown = size + len(record) + (len(glue) if waiting else 0)
        if waiting and (not many or grown > limit):
            yield _payload(waiting, glue, limit)
            waiting, grown = [], len(record)
        waiting.append(record)
        size = grown
    if waiting:
        yield _payload(waiting, glue, limit)


def _payload(records: Sequence[bytes], glue: bytes, limit: int) -> Payload:
    body = glue.join(records)
    if len(body) > limit:
        raise ModelError(f"a record of {len(body)} bytes is larger than MaxPayloadInMB allows")
    return Payload(tuple(records), body)


def _records(content: bytes, split: str) -> Iterator[bytes]:
    if split == "TFRecord":
        yield from _tfrecords(content)
        return
    for line in content.split(b"\n"):
        record = line.removesuffix(b"\r")
        if record:
            yield record


def _tfrecords(content: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(content):
        end = place + _LENGTH.size
        if end > len(content):
            raise ModelError("the input is not of TFRecords: it ends in a record")
        end += _LENGTH.unpack_from(content, place)[0] + _TFRECORD_OVERHEAD
        if end > len(content):
            raise ModelError("the input is not of TFRecords: it ends in a record")
        yield content[place:end]
        place = end


def assemble(answers: Sequence[bytes], assemble_with: str) -> bytes:
    """Return the content of an output object."""
    if assemble_with != "Line":
        return b"".join(answers)
    return b"".join(answer.rstrip(b"\n") + b"\n" for answer in answers)


def join(payload: Payload, answer: bytes, content_type: str) -> bytes:
    """Return a request's records joined with their answers (JoinSource Input), one per line.

    CSV gets the answer as its last columns, JSON a member `SageMakerOutput`. Raises ModelError if
    the answer does not have one line per record or is of another format.
    """
    if "json" not in content_type:
        _check_csv(answer)
    lines = [answer.strip()] if len(payload.records) == 1 else answer.strip().split(b"\n")
    if len(lines) != len(payload.records):
        raise ModelError(
            f"{len(payload.records)} records were answered by {len(lines)} lines: they cannot be"
            " joined (a BatchStrategy of SingleRecord sends one at a time)"
        )
    pairs = zip(payload.records, lines, strict=True)
    if "json" in content_type:
        return b"\n".join(_join_json(record, line) for record, line in pairs)
    return b"\n".join(record + b"," + line for record, line in pairs)


def _check_csv(answer: bytes) -> None:
    """Raise ModelError, as the service does, for an answer that is not CSV.

    Such as the JSON of AWS's TensorFlow container: the text is in sagemaker-tensorflow-serving-
    container#154.
    """
    for line in answer.strip().split(b"\n"):
        match = _CSV_LINE.match(line.removesuffix(b"\r"))
        rest = line[match.end() :].strip() if match else line
        if rest:
            text = rest[:40].decode("utf-8", "replace")
            raise ModelError(
                'Failed to parse output from the algorithm as CSV: bare " in non quoted field'
                f" found near: {text}"
            )


def _join_json(record: bytes, answer: bytes) -> bytes:
    try:
        source, output = json.loads(record), json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"a record or its answer is not JSON: {error}") from error
    members = source if isinstance(source, dict) else {"SageMakerInput": source}
    return json.dumps(members | {"SageMakerOutput": output}).encode()
