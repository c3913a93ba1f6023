"""Trust policies of roles: who may assume a role.

Source: IAM user guide, "AWS JSON policy elements: Principal". Conditions are taken to hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..protocol.errors import AwsError

_ASSUME = ("sts:AssumeRole", "sts:*", "*")


def check_trust(text: str) -> None:
    """Raise AwsError (MalformedPolicyDocument) for text that is not a trust policy."""
    try:
        statements = list(_statements(text))
    except ValueError as error:
        raise malformed(f"This policy contains invalid Json: {error}") from error
    for statement in statements:
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise malformed("AssumeRolepolicy must contain principal")
        if "Resource" in statement:
            raise malformed("Has prohibited field Resource")


def trusts(text: str, names: Iterable[str]) -> bool:
    """Return whether a trust policy lets a principal, by any of its names, assume the role."""
    wanted, allowed = set(names) | {"*"}, False
    for statement in _statements(text):
        if not _mentions(statement, wanted):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = True
    return allowed


def malformed(message: str) -> AwsError:
    """Return IAM's error for a policy document that it does not take."""
    return AwsError("MalformedPolicyDocument", message)


def _statements(text: str) -> Iterator[Mapping[str, Any]]:
    document = msgspec.json.decode(text, type=dict[str, Any])
    statements = document.get("Statement", [])
    yield from msgspec.convert(
        statements if isinstance(statements, list) else [statements], list[dict[str, Any]]
    )


def _mentions(statement: Mapping[str, Any], names: set[str]) -> bool:
    if not set(_texts(statement.get("Action", []))) & set(_ASSUME):
        return False
    principal = statement.get("Principal", {})
    groups = principal.values() if isinstance(principal, dict) else [principal]
    return any(text in names for group in groups for text in _texts(group))


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]
