"""What goes into a container and what comes out."""

from __future__ import annotations

import json
from dataclasses import dataclass

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request as it reaches the container: bytes and the headers it looks at."""

    body: bytes = b""
    content_type: str | None = None
    accept: str | None = None
    attributes: str | None = None
    """X-Amzn-SageMaker-Custom-Attributes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the container answers."""

    status: int
    body: bytes = b""
    content_type: str | None = JSON
    attributes: str | None = None
    """X-Amzn-SageMaker-Custom-Attributes of the response."""


class RefusedError(Exception):
    """A request that the container refuses itself, before TensorFlow Serving sees it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_answer(status: int, message: str) -> Answer:
    """Return an error as Python's services write it: `{"error": "…"}`."""
    return Answer(status, json.dumps({"error": message}).encode())
