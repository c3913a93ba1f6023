"""Data capture: requests and answers as JSON lines in the offline bucket.

Source: the SageMaker guide, "Capture data from real-time endpoint": the format of a line, and
`ENDPOINT/VARIANT/yyyy/mm/dd/hh/NAME.jsonl` below the destination. The service puts several requests
into one file; here each request gets its own file, which exists once the request is answered.
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....container import Answer, Invocation
from ...resources import Document
from ..sagemaker.s3_files import S3Files, below

_ALWAYS = 100


@dataclass(frozen=True, slots=True)
class CapturedInvocation:
    """An answered invocation."""

    endpoint: str
    variant: str
    invocation: Invocation
    answer: Answer
    inference_id: str | None


class DataCapture:
    """Writes the requests and answers that endpoints capture."""

    def __init__(self, files: S3Files, rng: random.Random) -> None:
        self._files = files
        self._rng = rng

    def is_sampled(self, config: Mapping[str, Any] | None) -> bool:
        """Return whether to capture a request: draw it by the sampling percentage.

        Without EnableCapture, capture is enabled (API reference, `DataCaptureConfig`).
        """
        if config is None or not config.get("EnableCapture", True):
            return False
        percentage: int = config["InitialSamplingPercentage"]
        return percentage >= _ALWAYS or self._rng.random() * _ALWAYS < percentage

    async def write(
        self, config: Mapping[str, Any], captured: CapturedInvocation, now: datetime
    ) -> None:
        """Write one request's file."""
        name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        folder = f"{captured.endpoint}/{captured.variant}/{now:%Y/%m/%d/%H}"
        uri = below(config["DestinationS3Uri"], f"{folder}/{name}")
        line = json.dumps(_line(config, captured, now), separators=(",", ":")) + "\n"
        await self._files.write(uri, line.encode(), "application/json")


def _line(config: Mapping[str, Any], captured: CapturedInvocation, now: datetime) -> Document:
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    data: Document = {}
    invocation, answer = captured.invocation, captured.answer
    if modes & {"Input", "InputAndOutput"}:
        kind = invocation.content_type or ""
        data["endpointInput"] = _side(config, "INPUT", kind, invocation.body)
    if modes & {"Output", "InputAndOutput"}:
        data["endpointOutput"] = _side(config, "OUTPUT", answer.content_type or "", answer.body)
    metadata: Document = {"eventId": str(uuid.uuid4())}
    if invocation.attributes:
        metadata["customAttributes"] = [invocation.attributes]
    if captured.inference_id:
        metadata["inferenceId"] = captured.inference_id
    metadata["inferenceTime"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def _side(config: Mapping[str, Any], mode: str, kind: str, body: bytes) -> Document:
    encoding = _encoding(config, kind)
    text = (
        base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8", "replace")
    )
    return {"observedContentType": kind, "mode": mode, "data": text, "encoding": encoding}


def _encoding(config: Mapping[str, Any], kind: str) -> str:
    """Return a body's encoding: text if CaptureContentTypeHeader lists its content type."""
    named = config.get("CaptureContentTypeHeader", {})
    plain = kind.partition(";")[0].strip().lower()
    for encoding in ("Csv", "Json"):
        types = {each.lower() for each in named.get(f"{encoding}ContentTypes", [])}
        if plain in types or kind.lower() in types:
            return encoding.upper()
    return "BASE64"
