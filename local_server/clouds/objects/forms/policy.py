"""Signed policies of forms: their conditions, their expiry, and the fields that they must name.

Sources: Amazon S3 API Reference, "POST policy"; Cloud Storage, "Policy document", which has the
same form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PAIR, TRIPLE = 2, 3


class PolicyError(Exception):
    """A policy that cannot be read (`malformed`), or that a form does not fulfil."""

    def __init__(self, message: str, *, malformed: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.malformed = malformed


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy whose conditions hold for a form; sizes are None if it does not limit the file."""

    smallest: int | None = None
    largest: int | None = None


def check_policy(
    text: str, fields: Mapping[str, str], exempt: frozenset[str], now: float
) -> Policy:
    """Check a policy in base64 against a form's fields and return the limits of the file.

    Fields that no condition names are refused, except `exempt` ones. Raises PolicyError.
    """
    document = _parse(text)
    if _expiration(document) <= now:
        raise PolicyError("Policy expired.")
    named: set[str] = set()
    policy = Policy()
    for condition in document["conditions"]:
        kind, name, value = _normal(condition)
        if kind == "content-length-range":
            policy = Policy(_size(name), _size(value))
            continue
        named.add(name)
        _check(kind, fields.get(name, ""), str(value), condition)
    extra = sorted(fields.keys() - named - exempt)
    extra = [name for name in extra if not name.startswith("x-ignore-")]
    if extra:
        raise PolicyError(f"Extra input fields: {', '.join(extra)}")
    return policy


def _parse(text: str) -> dict[str, Any]:
    try:
        document = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, RecursionError) as error:
        raise PolicyError("Invalid JSON.", malformed=True) from error
    if not isinstance(document, dict) or not isinstance(document.get("conditions"), list):
        raise PolicyError("Policy is missing conditions.", malformed=True)
    return document


def _expiration(document: Mapping[str, Any]) -> float:
    try:
        moment = datetime.fromisoformat(document["expiration"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"Invalid 'expiration' value: {document.get('expiration')!r:.100}"
        raise PolicyError(message, malformed=True) from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _normal(condition: Any) -> tuple[str, Any, Any]:
    """Return a condition as (kind, field, value); raises PolicyError."""
    if isinstance(condition, dict) and len(condition) == 1:
        ((name, value),) = condition.items()
        return "eq", name.lower(), value
    if isinstance(condition, list) and len(condition) == TRIPLE:
        kind, name, value = condition
        kind = str(kind).lower()
        if kind == "content-length-range":
            return kind, name, value
        if kind in {"eq", "starts-with"} and isinstance(name, str) and name.startswith("$"):
            return kind, name[1:].lower(), value
    text = json.dumps(condition)[:200]
    raise PolicyError(f"Invalid Condition: {text}", malformed=True)


def _size(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:  # JSON has no Infinity, Python's has
        raise PolicyError("Invalid content-length-range", malformed=True) from error


def _check(kind: str, given: str, wanted: str, condition: Any) -> None:
    holds = given == wanted if kind == "eq" else given.startswith(wanted)
    if not holds:
        shown = json.dumps(condition)
        raise PolicyError(f"Policy Condition failed: {shown}")
