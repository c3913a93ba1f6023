"""The tokens of TensorFlow Serving's JSON: strings, numbers and words, as rapidjson reads them.

Source: rapidjson's reader.h (`ParseString`, `ParseNumber`, `ParseTrue`), with NaN and Infinity.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from ...status import Code, StatusError

INVALID = "Invalid value."
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
# A valid part of a string, including escapes. Possessive repetition of a group that is not atomic
# keeps a part of a failed attempt until CPython 3.11.4 (cpython#106052).
_RIGHT_TEXT = re.compile(
    rb'(?>[^"\\\x00-\x1f]++'
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
WORDS = {ord("t"): (b"true", True), ord("f"): (b"false", False), ord("n"): (b"null", None)}
END = 0  # rapidjson's streams end in a NUL, and so does a document with one in it
_LEAST_INT, _MOST_INT = -(2**63), 2**64 - 1
_INT_DIGITS = len(str(_MOST_INT)) + 1


def skip_space(body: bytes, at: int) -> int:
    """Return the offset of the next byte that is not white space."""
    while (match := _SPACE.match(body, at)) and match.end() > at:
        at = match.end()
    return at


class Scanner:
    """Reads the tokens of a document; `at` is the offset of the next byte."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0

    def skip_space(self) -> None:
        """Move to the next byte that is not white space."""
        self.at = skip_space(self._data, self.at)

    def read_word(self, byte: int) -> bool | None:
        """Read `true`, `false` or `null`, which begins with this byte; raises StatusError."""
        word, value = WORDS[byte]
        for letter in word:
            if self.peek() != letter:
                self.fail(INVALID)
            self.at += 1
        return value

    def read_numbers(self) -> list[int | float] | None:
        """Read a whole list of numbers at once; None if it needs the exact parser."""
        match = _NUMBERS.match(self._data, self.at)
        if match is None:
            return None
        try:
            numbers: list[int | float] = json.loads(match.group())
        except ValueError:
            return None
        if not _are_in_range(numbers, match.group()):
            return None
        self.at = match.end()
        return numbers

    def read_number(self) -> int | float:
        """Read a number, NaN or an infinity; raises StatusError."""
        start = self.at
        match = _NUMBER.match(self._data, start)
        if match is None:
            return self._read_not_finite()
        self.at = match.end()
        self._check_number_ends(match["real"])
        if not match["real"] and match.end() - start <= _INT_DIGITS:
            integer = int(match.group())
            if _LEAST_INT <= integer <= _MOST_INT:
                return integer
        real = float(match.group())
        if math.isinf(real):
            self.fail(_TOO_BIG, start)
        return real

    def _check_number_ends(self, real: bytes) -> None:
        """Refuse a point or an exponent mark without digits after it."""
        has_exponent = b"e" in real.lower()
        if self.peek() == ord(".") and not real:
            self.fail(_NO_FRACTION, self.at + 1)
        mark = _EXPONENT_MARK.match(self._data, self.at)
        if mark and not has_exponent:
            self.fail(_NO_EXPONENT, mark.end())

    def _read_not_finite(self) -> float:
        match = _NOT_FINITE.match(self._data, self.at)
        if match is None:
            self.fail(INVALID, self.at + (self.peek() == ord("-")))
        self.at = match.end()
        return float(match.group())

    def read_string(self) -> str:
        """Read a string, from its opening quotation mark; raises StatusError."""
        self.at += 1
        # A growing buffer: joining many megabytes would hold the GIL as long as decoding them.
        text = bytearray(self._read_right_text())
        while self.peek() != ord('"'):
            # A valid string was truncated, or it is invalid here.
            text += self._read_right_text() or self._read_escape()
        self.at += 1
        return text.decode("utf-8", "surrogateescape")

    def _read_right_text(self) -> bytes:
        match = _RIGHT_TEXT.match(self._data, self.at, self.at + _READ_AT_ONCE)
        assert match is not None
        self.at = match.end()
        text = match.group()
        if b"\\" not in text:
            return text
        quoted = f'"{text.decode("utf-8", "surrogateescape")}"'
        unescaped: str = json.loads(quoted)
        return unescaped.encode("utf-8", "surrogateescape")

    def _read_escape(self) -> bytes:
        start, byte = self.at, self.peek()
        if byte != ord("\\"):
            self.fail(_NO_QUOTE if byte == END else _BAD_ENCODING)
        self.at += 1
        name = self.peek()
        if name == ord("u"):
            return self._read_unicode(start)
        if name not in _ESCAPES:
            self.fail(_BAD_ESCAPE, start)
        self.at += 1
        return _ESCAPES[name]

    def _read_unicode(self, start: int) -> bytes:
        unit = self._read_hex(start)
        if not 0xD800 <= unit <= 0xDFFF:  # noqa: PLR2004  the surrogates of UTF-16
            return chr(unit).encode()
        if unit > 0xDBFF or not self._data.startswith(b"\\u", self.at):  # noqa: PLR2004  as above
            self.fail(_BAD_SURROGATE, start)
        self.at += 1
        low = self._read_hex(start)
        if not 0xDC00 <= low <= 0xDFFF:  # noqa: PLR2004  as above
            self.fail(_BAD_SURROGATE, start)
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)).encode()

    def _read_hex(self, start: int) -> int:
        """Read the four digits after "u"."""
        match = _HEX4.match(self._data, self.at + 1)
        if match is None:
            self.fail(_BAD_HEX, start)
        self.at = match.end()
        return int(match.group(), 16)

    def peek(self) -> int:
        """Return the next byte, or END at the end of the document."""
        return self._data[self.at] if self.at < len(self._data) else END

    def fail(self, text: str, offset: int | None = None) -> NoReturn:
        """Raise StatusError with rapidjson's text, by default at the next byte."""
        at = self.at if offset is None else offset
        raise StatusError(Code.INVALID_ARGUMENT, f"JSON Parse error: {text} at offset: {at}")


def _are_in_range(numbers: list[int | float], text: bytes) -> bool:
    """Return whether no number is beyond 64 bits or a double, which Python reads as infinity."""
    if any(type(number) is int and not _LEAST_INT <= number <= _MOST_INT for number in numbers):
        return False
    return sum(number in _INFINITE for number in numbers) == text.count(b"Infinity")
