"""The Logging query language: a filter as a predicate of log entries.

Source: "Logging query language": comparisons `PATH OP VALUE` with =, !=, >, <, >=, <=, : (has),
=~ and !~; AND, which may be left out, OR, NOT and "-"; parentheses; a text alone is searched in all
fields. Texts are compared without regard to case, regular expressions with it. AND and OR without
parentheses between them, and functions such as `ip_in_net` and `sample`, are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....status import Code
from ..common.errors import ApiError
from .comparisons import Compare, comparison, timestamp_bound

_LONGEST = 20_000
_TOKEN = re.compile(
    r"""\s*(?:--[^\n]*(?:\n|$)|(?P<string>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<mark>=~|!~|!=|>=|<=|[=<>:()-])|(?P<word>[^\s"'()=<>!:~\\]+"""
    r"""(?:(?<=\.)"(?:[^"\\]|\\.)*"(?:\.[^\s"'()=<>!:~\\]+)?)*))""",
    re.DOTALL,
)
_OPERATORS = frozenset({"=", "!=", ">", "<", ">=", "<=", ":", "=~", "!~"})
Entry = Mapping[str, Any]
Predicate = Callable[[Entry], bool]


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and whether it was quoted."""

    text: str
    is_quoted: bool = False

    def is_word(self, *words: str) -> bool:
        """Return whether it is one of these, not quoted."""
        return not self.is_quoted and self.text in words


@dataclass(frozen=True, slots=True)
class Query:
    """A filter."""

    matches: Predicate
    since: str
    """Entries before this timestamp do not match; "" if the filter does not say so."""


def read_query(text: str) -> Query:
    """Parse a filter; raises ApiError for one that is malformed or not available offline."""
    if len(text) > _LONGEST:
        raise unparsable(f"the filter has more than {_LONGEST} characters")
    parser = _Parser(_tokens(text))
    return Query(parser.whole(), parser.since)


def unparsable(why: str) -> ApiError:
    """Return the error of a filter."""
    return ApiError(Code.INVALID_ARGUMENT, f"Unparsable filter: {why}.")


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise unparsable(f"syntax error at {text[position : position + 20]!r}")
        position = match.end()
        if match["string"] is not None:
            yield Token(re.sub(r"\\(.)", r"\1", match["string"][1:-1]), is_quoted=True)
        elif match.lastgroup is not None:
            yield Token(match[match.lastgroup])


class _Parser:
    """A recursive descent parser."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self._tokens = list(tokens)[::-1]
        self.since = ""
        self._depth = 0

    def whole(self) -> Predicate:
        """Parse to the end."""
        if not self._tokens:
            return lambda _: True
        predicate = self._expression()
        if self._tokens:
            raise unparsable(f"syntax error at {self._tokens[-1].text!r}")
        return predicate

    def _peek(self, *words: str) -> bool:
        return bool(self._tokens) and self._tokens[-1].is_word(*words)

    def _next(self, expected: str) -> Token:
        if not self._tokens:
            raise unparsable(f"{expected} is missing at the end")
        return self._tokens.pop()

    def _expression(self) -> Predicate:
        """Parse terms that are joined by AND, or by OR."""
        terms, joints = [self._term()], set()
        while self._tokens and not self._peek(")"):
            joints.add(self._next("AND").text if self._peek("AND", "OR") else "AND")
            terms.append(self._term())
        if len(joints) > 1:
            raise unparsable("AND and OR need parentheses between them offline")
        how = any if joints == {"OR"} else all
        if how is any:
            self.since = ""
        return terms[0] if len(terms) == 1 else lambda entry: how([term(entry) for term in terms])

    def _term(self) -> Predicate:
        since = self.since
        if self._peek("NOT", "-"):
            self._next("NOT")
            self._enter()
            term = self._term()
            self._depth -= 1
            self.since = since
            return lambda entry: not term(entry)
        if self._peek("("):
            self._next("(")
            self._enter()
            inside = self._expression()
            self._leave()
            return inside
        return self._restriction()

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > 50:  # noqa: PLR2004 - far above any query
            raise unparsable("it is nested too deeply")

    def _leave(self) -> None:
        self._depth -= 1
        if not self._next(")").is_word(")"):
            raise unparsable("a parenthesis is not closed")

    def _restriction(self) -> Predicate:
        first = self._next("a comparison")
        if not first.is_quoted and (first.text in _OPERATORS or first.text in {")", "AND", "OR"}):
            raise unparsable(f"syntax error at {first.text!r}")
        if not (self._tokens and self._tokens[-1].is_word(*_OPERATORS)):
            if self._peek("("):
                raise unparsable(f"the function {first.text} is not available offline")
            return comparison("", ":", first.text)
        operator = self._next("an operator").text
        if self._peek("("):
            return self._one_of(first.text, operator)
        value = self._next("a value")
        if not value.is_quoted and not re.fullmatch(r"[\w.*+/@-]+|-", value.text):
            raise unparsable(f"the value {value.text!r} needs double quotes")
        return self._compared(first.text, operator, self._value(value))

    def _value(self, first: Token) -> str:
        """Return a value; "-" before a number is a token of its own."""
        if first.is_word("-"):
            return f"-{self._next('a number').text}"
        return first.text

    def _compared(self, path: str, operator: str, value: str) -> Compare:
        if path == "timestamp" and operator in {">", ">="}:
            self.since = max(self.since, timestamp_bound(value))
        return comparison(path, operator, value)

    def _one_of(self, path: str, operator: str) -> Predicate:
        """Parse `PATH = ("a" OR "b")`."""
        self._next("(")
        values, joints = [self._next("a value").text], set()
        while self._peek("AND", "OR"):
            joints.add(self._next("OR").text)
            values.append(self._next("a value").text)
        if not self._next(")").is_word(")") or len(joints) > 1:
            raise unparsable("values in parentheses are joined by OR or by AND")
        compares = [comparison(path, operator, value) for value in values]
        how = all if joints == {"AND"} else any
        return lambda entry: how([compare(entry) for compare in compares])
