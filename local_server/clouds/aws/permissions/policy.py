"""IAM policy documents: their grammar, and the decision on one action.

Source: IAM user guide, "Grammar of the IAM JSON policy language" and "Policy evaluation logic".
The account numbers of ARNs are not compared: policies have those of a real account, and the
offline clouds one of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Literal

import msgspec

_VERSIONS = ("2012-10-17", "2008-10-17")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_ACCOUNT = re.compile(r"(arn:[^:]*:[^:]*:[^:]*:)\d{12}(?=:)")
_OPERATORS = ("StringEquals", "StringLike", "StringNotEquals", "StringNotLike")
REQUESTED_REGION, PASSED_TO_SERVICE = "aws:requestedregion", "iam:passedtoservice"
"""The condition keys that requests have values of; keys are compared without their case."""
_KEYS = (REQUESTED_REGION, PASSED_TO_SERVICE)
Texts = str | list[str]


@dataclass(frozen=True, slots=True)
class Need:
    """An action on a resource that a request needs, and what conditions may ask about it."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)
    """The values of condition keys, by their name in lower case."""


class Verdict(Enum):
    """The decision of policies on a need."""

    ALLOWED = auto()
    NOT_ALLOWED = auto()
    """No statement allows it."""
    DENIED = auto()
    """A statement denies it, which outweighs every other."""


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    Effect: Literal["Allow", "Deny"]
    Sid: str = ""
    Action: Texts | None = None
    NotAction: Texts | None = None
    Resource: Texts | None = None
    NotResource: Texts | None = None
    Condition: dict[str, dict[str, Texts]] = {}


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    Statement: list[_Statement] | _Statement
    Version: str = _VERSIONS[1]
    Id: str = ""


@dataclass(frozen=True, slots=True)
class _Patterns:
    texts: Sequence[str]
    excludes: bool = False
    """Whether the element is a NotAction or a NotResource."""
    ignores_case: bool = False

    def match(self, text: str) -> bool:
        matched = any(_pattern(each, self.ignores_case).fullmatch(text) for each in self.texts)
        return matched != self.excludes


@dataclass(frozen=True, slots=True)
class _Condition:
    operator: str
    key: str
    values: Sequence[str]

    def holds(self, context: Mapping[str, str]) -> bool:
        negated = "Not" in self.operator
        value = context.get(self.key)
        if value is None:
            return negated
        if self.operator.endswith("Like"):
            return _Patterns(self.values).match(value) != negated
        return (value in self.values) != negated


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement of a policy."""

    allows: bool
    actions: _Patterns
    resources: _Patterns
    conditions: Sequence[_Condition] = ()

    def applies(self, need: Need) -> bool:
        """Return whether the statement is about a need."""
        return (
            self.actions.match(need.action)
            and self.resources.match(_without_account(need.resource))
            and all(condition.holds(need.context) for condition in self.conditions)
        )


def decide(rules: Iterable[Rule], need: Need) -> Verdict:
    """Decide on a need: an explicit denial outweighs every permission."""
    verdict = Verdict.NOT_ALLOWED
    for rule in rules:
        if rule.applies(need):
            if not rule.allows:
                return Verdict.DENIED
            verdict = Verdict.ALLOWED
    return verdict


def names_action(patterns: Iterable[str], action: str) -> bool:
    """Return whether one of a policy's names of actions, which may have wildcards, is of it."""
    return _Patterns(tuple(patterns), ignores_case=True).match(action)


def is_action(text: str) -> bool:
    """Return whether a text may be an action in a policy: wildcards follow the service."""
    return _ACTION.fullmatch(text) is not None


def document(effect: Literal["Allow", "Deny"], actions: Iterable[str]) -> dict[str, Any]:
    """Return the policy document that allows, or denies, actions on every resource."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    return {"Version": _VERSIONS[0], "Statement": [statement]}


EVERYTHING = Rule(True, _Patterns(("*",)), _Patterns(("*",)))
"""The statement that allows every action on every resource."""


def read_policy(document: Any) -> tuple[Rule, ...]:
    """Return the statements of a policy document; raises ValueError that says what is wrong."""
    policy = msgspec.convert(document, _Document)
    if policy.Version not in _VERSIONS:
        raise ValueError(f"Version {policy.Version!r} is not one of {' and '.join(_VERSIONS)}")
    statements = policy.Statement if isinstance(policy.Statement, list) else [policy.Statement]
    if not statements:
        raise ValueError("the policy has no Statement")
    return tuple(_rule(statement) for statement in statements)


def _rule(statement: _Statement) -> Rule:
    actions = _either("Action", statement.Action, statement.NotAction)
    for action in actions.texts:
        if not is_action(action):
            raise ValueError(f"{action!r} is not an action: SERVICE:ACTION, such as s3:GetObject")
    resources = _either("Resource", statement.Resource, statement.NotResource)
    for resource in resources.texts:
        if resource != "*" and not resource.startswith("arn:"):
            raise ValueError(f'Resource {resource} must be in ARN format or "*".')
        if "${" in resource:
            raise ValueError(f"the policy variable in {resource} is not available offline")
    return Rule(
        statement.Effect == "Allow",
        _Patterns(actions.texts, actions.excludes, ignores_case=True),
        _Patterns([_without_account(text) for text in resources.texts], resources.excludes),
        tuple(_conditions(statement.Condition)),
    )


def _either(name: str, texts: Texts | None, others: Texts | None) -> _Patterns:
    if (texts is None) == (others is None):
        raise ValueError(f"a statement has exactly one of {name} and Not{name}")
    chosen = others if texts is None else texts
    assert chosen is not None
    values = [chosen] if isinstance(chosen, str) else chosen
    if not values:
        raise ValueError(f"{name} of a statement is empty")
    return _Patterns(values, excludes=texts is None)


def _conditions(blocks: Mapping[str, Mapping[str, Texts]]) -> Iterable[_Condition]:
    for operator, keys in blocks.items():
        if operator not in _OPERATORS:
            raise ValueError(
                f"the condition {operator} is not available offline: only {', '.join(_OPERATORS)}"
            )
        for key, values in keys.items():
            if key.lower() not in _KEYS:
                raise ValueError(
                    f"the condition key {key} is not available offline: only iam:PassedToService"
                    " and aws:RequestedRegion"
                )
            texts = [values] if isinstance(values, str) else values
            yield _Condition(operator, key.lower(), texts)


def _without_account(text: str) -> str:
    return _ACCOUNT.sub(r"\g<1>*", text)


@lru_cache(maxsize=4096)
def _pattern(text: str, ignores_case: bool) -> re.Pattern[str]:
    """Return the expression for IAM's wildcards, which are `*` and `?` alone."""
    translated = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(translated, re.DOTALL | (re.IGNORECASE if ignores_case else 0))
