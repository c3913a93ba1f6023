"""The filters of Cloud Monitoring: comparisons, joined by AND, OR, NOT and parentheses.

Source: "Monitoring filters": `metric.type = "…" AND resource.labels.endpoint_id = "…"`; AND may be
left out between comparisons; `:` is a substring; the functions starts_with, ends_with,
has_substring and one_of stand in place of a value. Which of AND and OR binds tighter is not said
there, so that both side by side without parentheses are refused, as are groups and metadata.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ....status import Code
from ..common.errors import ApiError

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<mark><=|>=|!=|[=<>:(),-])|(?P<word>[^\s"'()=<>!:,]+))""",
    re.DOTALL,
)
_SELECTOR = re.compile(r"(metric|resource)\.(type|labels?\.[A-Za-z_][A-Za-z0-9_]*)")
_FUNCTIONS: Mapping[str, Callable[[str, list[str]], bool]] = {
    "starts_with": lambda value, words: value.startswith(words[0]),
    "ends_with": lambda value, words: value.endswith(words[0]),
    "has_substring": lambda value, words: words[0] in value,
    "one_of": lambda value, words: value in words,
}
_REFUSED = frozenset({"-", "<", ">"})
_AND, _OR, _NOT = ("word", "AND"), ("word", "OR"), ("word", "NOT")
_OPEN, _CLOSE = ("mark", "("), ("mark", ")")
_DEEPEST = 50
Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One restriction of a filter."""

    selector: str
    is_negated: bool
    function: str
    """`=` or a function's name."""
    words: tuple[str, ...]

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Return whether it holds; a series without the label has the empty text."""
        value = fields.get(self.selector, "")
        words = list(self.words)
        is_match = value == words[0] if self.function == "=" else self._call(value, words)
        return is_match != self.is_negated

    @property
    def names_type(self) -> bool:
        """Return whether it names one metric type."""
        kind = (self.selector, self.function, self.is_negated)
        return kind == ("metric.type", "=", False)

    def _call(self, value: str, words: list[str]) -> bool:
        return _FUNCTIONS[self.function](value, words)


@dataclass(frozen=True, slots=True)
class Negation:
    """NOT, before a comparison or parentheses."""

    term: Term

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Return whether the term does not hold."""
        return not self.term.matches(fields)


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Terms joined by OR."""

    terms: tuple[Term, ...]

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Return whether one of the terms holds."""
        return any(one.matches(fields) for one in self.terms)


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms joined by AND; "" has none, and matches everything."""

    terms: tuple[Term, ...]

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Return whether a series or a metric matches."""
        return all(one.matches(fields) for one in self.terms)

    @property
    def metric_types(self) -> list[str]:
        """Return the metric types that every match has, as the filter names them."""
        types = [one.metric_types for one in self.terms if isinstance(one, Filter)]
        named = [one for one in self.terms if isinstance(one, Comparison)]
        return [
            *(one.words[0] for one in named if one.names_type),
            *(name for names in types for name in names),
        ]


Term = Comparison | Negation | Alternatives | Filter


def parse_filter(text: str) -> Filter:
    """Parse a filter; raises ApiError for one that is invalid or not available offline."""
    parser = _Parser(text)
    if not parser.tokens:
        return Filter(())
    term = parser.expression(0)
    if parser.tokens:
        raise invalid_filter(text, f"unexpected {parser.tokens[0][1]}.")
    return term if isinstance(term, Filter) else Filter((term,))


class _Parser:
    """A recursive-descent parser over `tokens`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.tokens = _tokens(text)

    def expression(self, depth: int) -> Term:
        """Read terms up to the end or a closing parenthesis."""
        if depth > _DEEPEST:
            raise invalid_filter(self._text, "it is nested too deeply.")
        terms, joints = [self._term(depth)], set()
        while self.tokens and self.tokens[0] != _CLOSE:
            joint = _OR if self.tokens[0] == _OR else _AND
            if self.tokens[0] in {_AND, _OR}:
                del self.tokens[0]
            joints.add(joint)
            terms.append(self._term(depth))
        if len(joints) > 1:
            raise _unavailable("AND beside OR without parentheses")
        if len(terms) == 1:
            return terms[0]
        return Alternatives(tuple(terms)) if _OR in joints else Filter(tuple(terms))

    def _term(self, depth: int) -> Term:
        if not self.tokens:
            raise invalid_filter(self._text, "a comparison is missing.")
        if self.tokens[0] == _NOT:
            del self.tokens[0]
            if self.tokens[:1] == [_NOT]:
                raise invalid_filter(self._text, "NOT is followed by NOT.")
            return Negation(self._term(depth))
        if self.tokens[0] != _OPEN:
            return _comparison(self.tokens, self._text)
        del self.tokens[0]
        term = self.expression(depth + 1)
        if self.tokens[:1] != [_CLOSE]:
            raise invalid_filter(self._text, "a parenthesis is not closed.")
        del self.tokens[0]
        return term


def invalid_filter(text: str, why: str) -> ApiError:
    """Return the error of a filter."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    message = f'Field filter had an invalid value of "{quoted}": {why}'
    return ApiError(Code.INVALID_ARGUMENT, message)


def _tokens(text: str) -> list[Token]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise invalid_filter(text, "The lexical analysis of the filter failed.")
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind]))
        position = match.end()
    return tokens


def _comparison(tokens: list[Token], text: str) -> Comparison:
    kind, selector = tokens.pop(0)
    if selector in _REFUSED and kind != "string":
        raise _unavailable(selector)
    match = _SELECTOR.fullmatch(selector)
    if kind != "word" or match is None:
        raise _unknown(selector, text)
    mark = tokens.pop(0)[1] if tokens else ""
    if mark in {"<", ">", "<=", ">="}:
        raise _unavailable(mark)
    if mark not in {"=", "!=", ":"}:
        raise invalid_filter(text, f"a comparison is expected after {selector}.")
    function, words = _value(tokens, text)
    if mark == ":" and function == "=":
        function = "has_substring"
    name = f"{match[1]}.{match[2].replace('label.', 'labels.')}"
    return Comparison(name, mark == "!=", function, words)


def _value(tokens: list[Token], text: str) -> tuple[str, tuple[str, ...]]:
    if not tokens or tokens[0][0] == "mark":
        raise invalid_filter(text, "a value is missing.")
    kind, word = tokens.pop(0)
    if kind == "word" and tokens and tokens[0] == ("mark", "("):
        return word, _arguments(word, tokens, text)
    return "=", (_text(kind, word),)


def _arguments(function: str, tokens: list[Token], text: str) -> tuple[str, ...]:
    if function not in _FUNCTIONS:
        raise _unavailable(f"The function {function}")
    words: list[str] = []
    del tokens[0]
    while tokens:
        kind, word = tokens.pop(0)
        if kind == "mark":
            raise invalid_filter(text, f"an argument of {function} is missing.")
        words.append(_text(kind, word))
        if not tokens:
            break
        if (mark := tokens.pop(0)[1]) == ")":
            return tuple(words)
        if mark != ",":
            break
        if function != "one_of":
            raise invalid_filter(text, f"{function} has one argument.")
    raise invalid_filter(text, f"the call of {function} is not closed.")


def _text(kind: str, word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL) if kind == "string" else word


def _unknown(selector: str, text: str) -> ApiError:
    prefix = selector.partition(".")[0]
    if prefix in {"group", "metadata", "project"}:
        return _unavailable(prefix)
    return invalid_filter(text, f"unknown field: {selector}.")


def _unavailable(what: str) -> ApiError:
    return ApiError(Code.UNIMPLEMENTED, f"{what} of Monitoring filters is not available offline.")
