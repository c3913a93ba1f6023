"""An exact parser of TensorFlow Serving's JSON: rapidjson, iterative, with NaN, stop-when-done.

orjson parses plain JSON. Anything else is parsed by a state machine that mirrors rapidjson's
(reader.h, `IterativeParse`): NaN and Infinity, bytes after the first value, strings of invalid
UTF-8, a million levels of nesting. Its errors have rapidjson's text and offset.

Invalid UTF-8 in a string becomes lone surrogates (`surrogateescape`); escapes of lone surrogates
are refused, so that nothing else does. If the outermost object repeats a key, its first value wins
(rapidjson's `FindMember`); for other objects the caller decides.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NoReturn

import orjson

from ...status import Code, StatusError
from ..limits import DEFAULT_LIMITS, JsonLimits
from .fast_path import scan

_EMPTY = "The document is empty."
_INVALID = "Invalid value."
_NO_NAME = "Missing a name for object member."
_NO_COLON = "Missing a colon after a name of object member."
_NO_COMMA_IN_OBJECT = "Missing a comma or '}' after an object member."
_NO_COMMA_IN_ARRAY = "Missing a comma or ']' after an array element."
_BAD_HEX = "Incorrect hex digit after \\u escape in string."
_BAD_SURROGATE = "The surrogate pair in string is invalid."
_BAD_ESCAPE = "Invalid escape character in string."
_NO_QUOTE = "Missing a closing quotation mark in string."
_BAD_ENCODING = "Invalid encoding in string."
_TOO_BIG = "Number too big to be stored in double."
_NO_FRACTION = "Miss fraction part in number."
_NO_EXPONENT = "Miss exponent in number."

# At most what takes a fraction of a millisecond.
_SPACE = re.compile(rb"[ \t\n\r]{0,65536}+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A valid part of a string, including escapes.
_RIGHT_TEXT = re.compile(
    rb'(?:[^"\\\x00-\x1f]++'
    rb'|\\(?:["\\/bfnrt]|u(?:[0-9A-CEFa-cef][0-9A-Fa-f]{3}|[dD](?:[0-7][0-9A-Fa-f]{2}'
    rb"|[89ABab][0-9A-Fa-f]{2}\\u[dD][C-Fc-f][0-9A-Fa-f]{2}))))*+"
)
_READ_AT_ONCE = 2**16
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_NUMBERS = re.compile(rb"\[[-+.,0-9eE \t\n\rNaInfity]*+\]")
_INFINITE = {math.inf, -math.inf}
_EXPONENT_MARK = re.compile(rb"[eE][+-]?")
_NOT_FINITE = re.compile(rb"-?(?:NaN|Inf(?:inity)?)")
_ESCAPES = {
    ord(name): value
    for name, value in zip(
        '"\\/bfnrt', (b'"', b"\\", b"/", b"\b", b"\f", b"\n", b"\r", b"\t"), strict=True
    )
}
_WORDS = {ord("t"): (b"true", True), ord("f"): (b"false", False), ord("n"): (b"null", None)}
_END = 0  # rapidjson's streams end in a NUL, and so does a document with one in it
_LEAST_INT, _MOST_INT = -(2**63), 2**64 - 1
_INT_DIGITS = len(str(_MOST_INT)) + 1
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


def skip_space(body: bytes, at: int) -> int:
    """Return the offset of the next byte that is not white space."""
    while (match := _SPACE.match(body, at)) and match.end() > at:
        at = match.end()
    return at


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
    _State.COLON: _INVALID,
    _State.MEMBER: _NO_COMMA_IN_OBJECT,
    _State.MEMBER_COMMA: _NO_NAME,
    _State.OPEN_ARRAY: _INVALID,
    _State.ELEMENT: _NO_COMMA_IN_ARRAY,
    _State.ELEMENT_COMMA: _INVALID,
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
    """One parse of one document; `_at` is the offset of the next byte."""

    def __init__(self, data: bytes, *, first_counts: bool = False) -> None:
        self._data = data
        self._first_counts = first_counts
        self._at = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
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
        self._at, self._tokens = place.start, tokens
        self._most_tokens = _MOST_TOKENS_ON
        self._open = [[] if level == ord("[") else {} for level in place.levels]
        self._names = [""] * place.levels[:-1].count(b"{")
        state = _state_at(place)
        container, depth = self._open[-1], len(self._open)
        while not self._is_at(place.end, state, depth):
            state = self._next(state)
            if state is _State.FINISH:
                break
        return Reading(container, self._at, self._tokens)

    def _is_at(self, end: int | None, state: _State, depth: int) -> bool:
        if end is None or self._at < end or len(self._open) != depth:
            return False
        return state in _AFTER_VALUE

    def _next(self, state: _State) -> _State:
        if self._tokens >= self._most_tokens:
            self._fail("Too many values.")
        self._tokens += 1
        self._at = skip_space(self._data, self._at)
        return self._step(state)

    def _step(self, state: _State) -> _State:
        """Read one token and return the state after it."""
        byte = self._peek()
        if byte == _END:
            self._fail(_WANTED[state])
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
            self._fail(_WANTED[state])
        self._names.append(self._read_string())
        return _State.NAME

    def _expect(self, byte: int, expected: int, state: _State, then: _State) -> _State:
        if byte != expected:
            self._fail(_WANTED[state])
        self._at += 1
        return then

    def _read_value(self, state: _State, byte: int) -> _State:
        if byte == ord("{"):
            return self._begin({}, _State.OPEN_OBJECT)
        if byte == ord("["):
            numbers = self._read_numbers()
            return self._begin([], _State.OPEN_ARRAY) if numbers is None else self._take(numbers)
        if byte == ord("]") and state is _State.OPEN_ARRAY:
            return self._close()
        if byte in b"]},:":
            self._fail(_WANTED[state])
        if byte == ord('"'):
            return self._take(self._read_string())
        return self._take(self._read_word(byte) if byte in _WORDS else self._read_number())

    def _begin(self, container: dict[str, Any] | list[Any], state: _State) -> _State:
        if len(self._open) == _MOST_NESTED:
            self._fail("Nested too deeply.")
        self._at += 1
        self._open.append(container)
        return state

    def _close(self) -> _State:
        self._at += 1
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

    def _read_word(self, byte: int) -> bool | None:
        word, value = _WORDS[byte]
        for letter in word:
            if self._peek() != letter:
                self._fail(_INVALID)
            self._at += 1
        return value

    def _read_numbers(self) -> list[int | float] | None:
        """Read a whole list of numbers at once; None if it needs the exact parser."""
        match = _NUMBERS.match(self._data, self._at)
        if match is None:
            return None
        try:
            numbers: list[int | float] = json.loads(match.group())
        except ValueError:
            return None
        if not _are_in_range(numbers, match.group()):
            return None
        self._at = match.end()
        return numbers

    def _read_number(self) -> int | float:
        start = self._at
        match = _NUMBER.match(self._data, start)
        if match is None:
            return self._read_not_finite()
        self._at = match.end()
        self._check_number_ends(match["real"])
        if not match["real"] and match.end() - start <= _INT_DIGITS:
            integer = int(match.group())
            if _LEAST_INT <= integer <= _MOST_INT:
                return integer
        real = float(match.group())
        if math.isinf(real):
            self._fail(_TOO_BIG, start)
        return real

    def _check_number_ends(self, real: bytes) -> None:
        """Refuse a point or an exponent mark without digits after it."""
        has_exponent = b"e" in real.lower()
        if self._peek() == ord(".") and not real:
            self._fail(_NO_FRACTION, self._at + 1)
        mark = _EXPONENT_MARK.match(self._data, self._at)
        if mark and not has_exponent:
            self._fail(_NO_EXPONENT, mark.end())

    def _read_not_finite(self) -> float:
        match = _NOT_FINITE.match(self._data, self._at)
        if match is None:
            self._fail(_INVALID, self._at + (self._peek() == ord("-")))
        self._at = match.end()
        return float(match.group())

    def _read_string(self) -> str:
        self._at += 1
        # A growing buffer: joining many megabytes would hold the GIL as long as decoding them.
        text = bytearray(self._read_right_text())
        while self._peek() != ord('"'):
            # A valid string was truncated, or it is invalid here.
            text += self._read_right_text() or self._read_escape()
        self._at += 1
        return text.decode("utf-8", "surrogateescape")

    def _read_right_text(self) -> bytes:
        match = _RIGHT_TEXT.match(self._data, self._at, self._at + _READ_AT_ONCE)
        assert match is not None
        self._at = match.end()
        text = match.group()
        if b"\\" not in text:
            return text
        quoted = f'"{text.decode("utf-8", "surrogateescape")}"'
        unescaped: str = json.loads(quoted)
        return unescaped.encode("utf-8", "surrogateescape")

    def _read_escape(self) -> bytes:
        start, byte = self._at, self._peek()
        if byte != ord("\\"):
            self._fail(_NO_QUOTE if byte == _END else _BAD_ENCODING)
        self._at += 1
        name = self._peek()
        if name == ord("u"):
            return self._read_unicode(start)
        if name not in _ESCAPES:
            self._fail(_BAD_ESCAPE, start)
        self._at += 1
        return _ESCAPES[name]

    def _read_unicode(self, start: int) -> bytes:
        unit = self._read_hex(start)
        if not 0xD800 <= unit <= 0xDFFF:  # noqa: PLR2004  the surrogates of UTF-16
            return chr(unit).encode()
        if unit > 0xDBFF or not self._data.startswith(b"\\u", self._at):  # noqa: PLR2004  as above
            self._fail(_BAD_SURROGATE, start)
        self._at += 1
        low = self._read_hex(start)
        if not 0xDC00 <= low <= 0xDFFF:  # noqa: PLR2004  as above
            self._fail(_BAD_SURROGATE, start)
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)).encode()

    def _read_hex(self, start: int) -> int:
        """Read the four digits after "u"."""
        match = _HEX4.match(self._data, self._at + 1)
        if match is None:
            self._fail(_BAD_HEX, start)
        self._at = match.end()
        return int(match.group(), 16)

    def _peek(self) -> int:
        return self._data[self._at] if self._at < len(self._data) else _END

    def _skip(self, pattern: re.Pattern[bytes]) -> bytes:
        """Skip the match of a pattern that always matches, and return it."""
        match = pattern.match(self._data, self._at)
        assert match is not None
        self._at = match.end()
        return match.group()

    def _fail(self, text: str, offset: int | None = None) -> NoReturn:
        at = self._at if offset is None else offset
        raise StatusError(Code.INVALID_ARGUMENT, f"JSON Parse error: {text} at offset: {at}")


def _are_in_range(numbers: list[int | float], text: bytes) -> bool:
    """Return whether no number is beyond 64 bits or a double, which Python reads as infinity."""
    if any(type(number) is int and not _LEAST_INT <= number <= _MOST_INT for number in numbers):
        return False
    return sum(number in _INFINITE for number in numbers) == text.count(b"Infinity")
