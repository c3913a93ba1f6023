"""An exact parser of TensorFlow Serving's JSON: rapidjson, iterative, with NaN, stop-when-done.

orjson parses plain JSON. Anything else is parsed by a state machine that mirrors rapidjson's
(reader.h, `IterativeParse`): NaN and Infinity, bytes after the first value, strings of invalid
UTF-8, a million levels of nesting. Its errors have rapidjson's text and offset.

Invalid UTF-8 in a string becomes lone surrogates (`surrogateescape`); escapes of lone surrogates
are refused, so that nothing else does. If the outermost object repeats a key, its first value wins
(rapidjson's `FindMember`); for other objects the caller decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from ...status import Code, StatusError
from ..limits import DEFAULT_LIMITS, JsonLimits
from .fast_path import scan
from .scanner import END, INVALID, WORDS, Scanner

_EMPTY = "The document is empty."
_NO_NAME = "Missing a name for object member."
_NO_COLON = "Missing a colon after a name of object member."
_NO_COMMA_IN_OBJECT = "Missing a comma or '}' after an object member."
_NO_COMMA_IN_ARRAY = "Missing a comma or ']' after an array element."
# Each level takes 64 bytes and a microsecond: a gzipped request could take gigabytes.
_MOST_NESTED = 2**20
# Each takes microseconds: a limit on the thread time of one client.
_MOST_TOKENS = 3 * 2**19
# Of a document in pieces, most pieces are parsed in C.
_MOST_TOKENS_ON = 2**19


def parse_json(body: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> Any:
    """Return the first JSON value of `body` as Python's dict, list, str, int, float, bool, None.

    Integers beyond 64 bits are floats; the last of repeated keys counts. Raises StatusError
    (INVALID_ARGUMENT) with rapidjson's text and offset.
    """
    if limits.are_passed_by(body):
        raise too_many_values()
    try:
        scan(body)
        return orjson.loads(body)
    except ValueError:
        return parse_exactly(body, limits=limits)


def too_many_values() -> StatusError:
    """Return the error of a document that would take too much memory and time."""
    return StatusError(Code.INVALID_ARGUMENT, "JSON Parse error: Too many values.")


def parse_exactly(
    body: bytes, *, first_counts: bool = False, limits: JsonLimits = DEFAULT_LIMITS
) -> Any:
    """Do the same for any JSON; with `first_counts` the first of repeated keys wins."""
    if not body:
        raise StatusError(Code.INVALID_ARGUMENT, "JSON Parse error: The document is empty")
    if limits.are_passed_by(body):
        raise too_many_values()
    return _Reader(body, first_counts=first_counts).read()


@dataclass(frozen=True, slots=True)
class Place:
    """A place between the values of a container, from which parsing can resume.

    `levels` are the brackets and braces around it. It is before a value, the first or another of
    its container, or after one. Parsing ends after the value that contains `end`.
    """

    levels: bytes
    start: int
    end: int | None = None
    is_first: bool = False
    is_behind: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The values read from a place: a list or a dict, the end, and the number of tokens so far."""

    values: Any
    end: int
    tokens: int


def read_on(body: bytes, place: Place, tokens: int, *, first_counts: bool) -> Reading:
    """Read values from a place.

    Raises StatusError (INVALID_ARGUMENT) with the offset in the whole body.
    """
    reader = _Reader(body, first_counts=first_counts)
    return reader.read_from(place, tokens)


class _State(Enum):
    """The kind of the last token (rapidjson's `IterativeParsingState`)."""

    START = auto()
    OPEN_OBJECT = auto()
    NAME = auto()
    COLON = auto()
    MEMBER = auto()
    MEMBER_COMMA = auto()
    OPEN_ARRAY = auto()
    ELEMENT = auto()
    ELEMENT_COMMA = auto()
    FINISH = auto()


_WANTED = {
    _State.START: _EMPTY,
    _State.OPEN_OBJECT: _NO_NAME,
    _State.NAME: _NO_COLON,
    _State.COLON: INVALID,
    _State.MEMBER: _NO_COMMA_IN_OBJECT,
    _State.MEMBER_COMMA: _NO_NAME,
    _State.OPEN_ARRAY: INVALID,
    _State.ELEMENT: _NO_COMMA_IN_ARRAY,
    _State.ELEMENT_COMMA: INVALID,
}
_BEFORE_NAME = {_State.OPEN_OBJECT, _State.MEMBER_COMMA}
_AFTER_VALUE = {
    _State.MEMBER: (ord("}"), _State.MEMBER_COMMA),
    _State.ELEMENT: (ord("]"), _State.ELEMENT_COMMA),
}


def _state_at(place: Place) -> _State:
    is_list = place.levels.endswith(b"[")
    if place.is_behind:
        return _State.ELEMENT if is_list else _State.MEMBER
    if place.is_first:
        return _State.OPEN_ARRAY if is_list else _State.OPEN_OBJECT
    return _State.ELEMENT_COMMA if is_list else _State.MEMBER_COMMA


class _Reader:
    """One parse of one document."""

    def __init__(self, data: bytes, *, first_counts: bool = False) -> None:
        self._scanner = Scanner(data)
        self._first_counts = first_counts
        self._open: list[dict[str, Any] | list[Any]] = []
        self._names: list[str] = []
        self._result: Any = None
        self._tokens = 0
        self._most_tokens = _MOST_TOKENS

    def read(self) -> Any:
        state = _State.START
        while state is not _State.FINISH:
            state = self._next(state)
        return self._result

    def read_from(self, place: Place, tokens: int) -> Reading:
        """Read the values of a container from a place in it; see `read_on`."""
        self._scanner.at, self._tokens = place.start, tokens
        self._most_tokens = _MOST_TOKENS_ON
        self._open = [[] if level == ord("[") else {} for level in place.levels]
        self._names = [""] * place.levels[:-1].count(b"{")
        state = _state_at(place)
        container, depth = self._open[-1], len(self._open)
        while not self._is_at(place.end, state, depth):
            state = self._next(state)
            if state is _State.FINISH:
                break
        return Reading(container, self._scanner.at, self._tokens)

    def _is_at(self, end: int | None, state: _State, depth: int) -> bool:
        if end is None or self._scanner.at < end or len(self._open) != depth:
            return False
        return state in _AFTER_VALUE

    def _next(self, state: _State) -> _State:
        if self._tokens >= self._most_tokens:
            self._scanner.fail("Too many values.")
        self._tokens += 1
        self._scanner.skip_space()
        return self._step(state)

    def _step(self, state: _State) -> _State:
        """Read one token and return the state after it."""
        byte = self._scanner.peek()
        if byte == END:
            self._scanner.fail(_WANTED[state])
        if state in _BEFORE_NAME:
            return self._read_name(state, byte)
        if state is _State.NAME:
            return self._expect(byte, ord(":"), state, _State.COLON)
        if state in _AFTER_VALUE:
            closing, comma = _AFTER_VALUE[state]
            return self._close() if byte == closing else self._expect(byte, ord(","), state, comma)
        return self._read_value(state, byte)

    def _read_name(self, state: _State, byte: int) -> _State:
        if byte == ord("}") and state is _State.OPEN_OBJECT:
            return self._close()
        if byte != ord('"'):
            self._scanner.fail(_WANTED[state])
        self._names.append(self._scanner.read_string())
        return _State.NAME

    def _expect(self, byte: int, expected: int, state: _State, then: _State) -> _State:
        if byte != expected:
            self._scanner.fail(_WANTED[state])
        self._scanner.at += 1
        return then

    def _read_value(self, state: _State, byte: int) -> _State:
        if byte == ord("{"):
            return self._begin({}, _State.OPEN_OBJECT)
        if byte == ord("["):
            numbers = self._scanner.read_numbers()
            return self._begin([], _State.OPEN_ARRAY) if numbers is None else self._take(numbers)
        if byte == ord("]") and state is _State.OPEN_ARRAY:
            return self._close()
        if byte in b"]},:":
            self._scanner.fail(_WANTED[state])
        if byte == ord('"'):
            return self._take(self._scanner.read_string())
        return self._take(
            self._scanner.read_word(byte) if byte in WORDS else self._scanner.read_number()
        )

    def _begin(self, container: dict[str, Any] | list[Any], state: _State) -> _State:
        if len(self._open) == _MOST_NESTED:
            self._scanner.fail("Nested too deeply.")
        self._scanner.at += 1
        self._open.append(container)
        return state

    def _close(self) -> _State:
        self._scanner.at += 1
        return self._take(self._open.pop())

    def _take(self, value: Any) -> _State:
        """Store a complete value in its container."""
        if not self._open:
            self._result = value
            return _State.FINISH
        container = self._open[-1]
        if isinstance(container, list):
            container.append(value)
            return _State.ELEMENT
        name = self._names.pop()
        if self._first_counts or len(self._open) == 1:
            container.setdefault(name, value)
        else:
            container[name] = value
        return _State.MEMBER
