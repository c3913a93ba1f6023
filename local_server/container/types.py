"""Requests and answers of a container."""

from __future__ import annotations

import json
from dataclasses import dataclass

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request to the container: its body and the headers that the container uses."""

    body: bytes = b""
    content_type: str | None = None
    accept: str | None = None
    attributes: str | None = None
    """X-Amzn-SageMaker-Custom-Attributes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The container's answer."""

    status: int
    body: bytes = b""
    content_type: str | None = JSON
    attributes: str | None = None
    """X-Amzn-SageMaker-Custom-Attributes of the response."""


class RefusedError(Exception):
    """A request that the container rejects before it reaches TensorFlow Serving."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_answer(status: int, message: str) -> Answer:
    """Return an error in the form of the Python service: `{"error": "…"}`."""
    return Answer(status, json.dumps({"error": message}).encode())
