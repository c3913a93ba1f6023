"""Trust policies of roles: who may assume a role.

Source: IAM user guide, "AWS JSON policy elements: Principal". Conditions are taken to hold. The
text of a wrong principal is hashicorp/terraform#35086's; kinds have capitals (cloudtools/awacs#58).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..permissions.policy import names_action
from ..protocol.errors import AwsError

_ACTION = "sts:AssumeRole"
AWS, SERVICE = "AWS", "Service"
"""The kinds of principals that assume roles here: identities of accounts, services."""
_OF_DOCUMENTS = frozenset({"Id", "Statement", "Version"})
_OF_STATEMENTS = frozenset({
    "Action", "Condition", "Effect", "NotAction", "NotPrincipal", "Principal", "Sid",
})  # fmt: skip
_VERSIONS = ("2012-10-17", "2008-10-17")
_FORMS: Mapping[str, re.Pattern[str]] = {
    AWS: re.compile(r"\*|\d{12}|arn:aws[\w-]*:(?:iam|sts)::\d{12}:.+"),
    SERVICE: re.compile(r"(?:[\w-]+\.)+amazonaws\.com(?:\.cn)?"),
    "Federated": re.compile(r".+"),
}


def check_trust(text: str) -> None:
    """Raise AwsError (MalformedPolicyDocument) for text that is not a trust policy."""
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
        statements = list(_statements(text))
    except (ValueError, RecursionError) as error:
        raise malformed(f"This policy contains invalid Json: {error}") from error
    known = document.keys() <= _OF_DOCUMENTS and document.get("Version", _VERSIONS[1]) in _VERSIONS
    if not known or not statements:
        raise malformed("Syntax errors in policy.")
    for statement in statements:
        _check_statement(statement)


def _check_statement(statement: Mapping[str, Any]) -> None:
    principals = [statement[name] for name in ("Principal", "NotPrincipal") if name in statement]
    if not principals:
        raise malformed("AssumeRolepolicy must contain principal")
    if "Resource" in statement:
        raise malformed("Has prohibited field Resource")
    known = statement.keys() <= _OF_STATEMENTS and statement.get("Effect") in ("Allow", "Deny")
    if not known or not all(principals):
        raise malformed("Syntax errors in policy.")
    actions = _texts(statement.get("Action", statement.get("NotAction")))
    if not actions:
        raise malformed("Policy statement must contain actions.")
    if not all(action == "*" or action.lower().startswith("sts:") for action in actions):
        raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    for kind, name in _principals(statement):
        if kind not in _FORMS or not _FORMS[kind].fullmatch(name):
            raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{name}"')


def trusts(text: str, kind: str, names: Iterable[str]) -> bool:
    """Return whether a trust policy lets a principal, by any of its names, assume the role."""
    wanted, allowed = {(kind, name) for name in names} | {(AWS, "*")}, False
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


def _mentions(statement: Mapping[str, Any], wanted: set[tuple[str, str]]) -> bool:
    actions = _texts(statement.get("Action"))
    return names_action(actions, _ACTION) and not wanted.isdisjoint(_principals(statement))


def _principals(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the kind and the name of each principal; "*" is every identity of AWS.

    Raises AwsError (MalformedPolicyDocument) for another value than texts.
    """
    principal = statement.get("Principal", {})
    groups = {AWS: "*"} if principal == "*" else principal
    if not isinstance(groups, dict):
        raise malformed("Syntax errors in policy.")
    for kind, names in groups.items():
        yield from ((kind, name) for name in _texts(names))


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise malformed("Syntax errors in policy.")
    return texts
