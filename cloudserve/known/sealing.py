"""Sealed values: environment variables in kept answers, which may be secrets.

Only a salted digest is kept. It can be compared with a value of the project file and not be read.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any


class Sealed:
    """A value that is only known by its digest; it equals the text that it was made of."""

    # Not a dataclass: msgspec would store one as a map, and give a map back.
    __slots__ = ("digest", "salt")

    def __init__(self, salt: bytes, digest: bytes) -> None:
        self.salt = salt
        self.digest = digest

    @classmethod
    def of(cls, value: str, salt: bytes) -> Sealed:
        """Seal a text."""
        return cls(salt, hmac.digest(salt, value.encode(), hashlib.sha256))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            other = Sealed.of(other, self.salt)
        if not isinstance(other, Sealed):
            return NotImplemented
        return (self.salt, self.digest) == (other.salt, other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return "(not kept)"


def seal(answer: Any, salt: bytes) -> Any:
    """Return an answer with the values of its containers' environments sealed.

    SageMaker has them as `Environment: {NAME: VALUE}`, Vertex AI as `env: [{name, value}]`.
    """
    if isinstance(answer, Mapping):
        return {key: _field(key, value, salt) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [seal(each, salt) for each in answer]
    return answer


def _field(name: str, value: Any, salt: bytes) -> Any:
    if name == "Environment" and isinstance(value, Mapping):
        return {key: Sealed.of(str(each), salt) for key, each in value.items()}
    if name == "env" and isinstance(value, list):
        return [_variable(each, salt) for each in value]
    return seal(value, salt)


def _variable(entry: Any, salt: bytes) -> Any:
    if isinstance(entry, Mapping) and "value" in entry:
        return {**entry, "value": Sealed.of(str(entry["value"]), salt)}
    return seal(entry, salt)
