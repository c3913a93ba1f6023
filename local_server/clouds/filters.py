"""The filter language of Google's list methods (AIP-160), limited to what the services support.

`display_name="a" AND (labels.stage:* OR NOT create_time < "2026-01-01")`: OR binds tighter than
AND; adjacent terms are joined by AND. Field names are snake_case or lowerCamelCase.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

Predicate = Callable[[Mapping[str, Any]], bool]
Fields = Mapping[str, Collection[str]]
"""The supported fields in lowerCamelCase, with the comparators of each."""
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<operator><=|>=|!=|=|<|>|:|\(|\)|-(?=[A-Za-z(]))|(?P<word>[^\s"'()=<>!:]+))""",
    re.DOTALL,
)
_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
ANY = frozenset({*_COMPARISONS, ":"})
"""All comparators."""
_DEEPEST = 50


class FilterError(ValueError):
    """An invalid filter; the message says where and why."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def compile_filter(text: str, fields: Fields) -> Predicate:
    """Compile a filter to a predicate on documents; "" matches all. Raises FilterError.

    `labels` also has keys below it.
    """
    if not text.strip():
        return lambda _: True
    parser = _Parser(_tokens(text), fields)
    predicate = parser.expression()
    if parser.tokens:
        raise FilterError(f"unexpected {parser.tokens[0].text!r}")
    return predicate


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"cannot be read from {text[position:].strip()!r} on")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind]))
        position = match.end()
    return tokens


class _Parser:
    """A recursive-descent parser over `tokens`."""

    def __init__(self, tokens: list[_Token], fields: Fields) -> None:
        self.tokens = tokens
        self._fields = fields
        self._depth = 0

    def expression(self) -> Predicate:
        """Read terms joined by AND, or side by side."""
        parts = [self._either()]
        while self.tokens and self.tokens[0].text != ")":
            self._take_word("AND")
            parts.append(self._either())
        return lambda document: all(part(document) for part in parts)

    def _either(self) -> Predicate:
        parts = [self._term()]
        while self._take_word("OR"):
            parts.append(self._term())
        return lambda document: any(part(document) for part in parts)

    def _term(self) -> Predicate:
        if self._take_word("NOT") or self._take("-"):
            negated = self._simple()
            return lambda document: not negated(document)
        return self._simple()

    def _simple(self) -> Predicate:
        if not self._take("("):
            return self._restriction()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FilterError("it is nested too deeply")
        inside = self.expression()
        if not self._take(")"):
            raise FilterError("a parenthesis is not closed")
        self._depth -= 1
        return inside

    def _restriction(self) -> Predicate:
        path = self._path(self._next("a field"))
        comparator = self._next("a comparator after the field")
        if comparator.kind != "operator" or comparator.text not in ANY:
            raise FilterError(f"{comparator.text!r} is not a comparator")
        if comparator.text not in self._fields[path[0]]:
            raise FilterError(f"{path[0]!r} cannot be compared by {comparator.text!r}")
        value = self._next(f"a value after {comparator.text!r}")
        if value.kind == "operator":
            raise FilterError(f"{value.text!r} is not a value")
        return _restrict(path, comparator.text, value)

    def _path(self, token: _Token) -> tuple[str, ...]:
        first, _, below = token.text.partition(".")
        name = camel(first)
        if token.kind != "word" or name not in self._fields or (below and name != "labels"):
            raise FilterError(f"{token.text!r} is not a field that can be filtered by")
        return (name, below) if below else (name,)

    def _next(self, what: str) -> _Token:
        if not self.tokens:
            raise FilterError(f"{what} is missing at its end")
        return self.tokens.pop(0)

    def _take(self, text: str) -> bool:
        if self.tokens and self.tokens[0] == _Token("operator", text):
            del self.tokens[0]
            return True
        return False

    def _take_word(self, text: str) -> bool:
        if self.tokens and self.tokens[0] == _Token("word", text):
            del self.tokens[0]
            return True
        return False


def _restrict(path: tuple[str, ...], comparator: str, value: _Token) -> Predicate:
    operand = _text(value)
    if comparator in {"=", ":"} and value == _Token("word", "*"):
        return lambda document: _value(document, path) not in ("", [], {}, None)
    if comparator == ":" and operand.endswith("*"):
        return lambda document: _starts(_value(document, path), operand[:-1])
    if comparator == ":":
        return lambda document: _has(_value(document, path), operand)
    return lambda document: _compare(_value(document, path), comparator, operand)


def _text(token: _Token) -> str:
    if token.kind != "string":
        return token.text
    return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)


def _value(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _has(value: Any, operand: str) -> bool:
    if isinstance(value, Mapping | list):
        return operand in value
    return value is not None and operand.lower() in _written(value).lower()


def _starts(value: Any, operand: str) -> bool:
    return value is not None and _written(value).lower().startswith(operand.lower())


def _compare(value: Any, comparator: str, operand: str) -> bool:
    if value is None:
        return comparator == "!=" and bool(operand)
    return _COMPARISONS[comparator](_written(value), operand)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def camel(name: str) -> str:
    """Return a proto field's name as its JSON name: `display_name` -> `displayName`."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)
