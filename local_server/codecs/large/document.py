"""A large JSON document, cut into runs of values.

`outline` cuts it. A run becomes Python values only when it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import orjson

from ..json.reader import Place, Reading, read_on, too_many_values
from ..limits import JsonLimits

_MOST_SHOWN = 256
"""The maximum number of values in an error text, which is cut at as many characters."""
_DECODER = json.JSONDecoder()
_WHITE = " \t\n\r"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONG_NUMBER = re.compile(rb"[0-9]{19}|[eE]\+?[0-9]{3}")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive small values of a container; offsets, without the surrounding commas."""

    start: int
    end: int
    count: int
    is_plain: bool = True
    """Whether simdjson can parse it: no NaN, no strings of invalid UTF-8."""
    is_finite: bool = True
    """Whether NaN and Infinity among its numbers are the only reason that it cannot."""


@dataclass(slots=True)
class Node:
    """A container larger than a run: its items in order, the large ones with their names.

    Large containers are nodes, long strings are strings. `levels` are the brackets and braces
    around its values, its own last.
    """

    levels: bytes
    items: list[Run | tuple[str, Any]] = field(default_factory=list)
    end: int = 0
    """The offset after its closing bracket."""

    @property
    def count(self) -> int:
        """Return how many values it has."""
        return sum(item.count if isinstance(item, Run) else 1 for item in self.items)

    @property
    def opening(self) -> int:
        """Return its opening bracket or brace."""
        return self.levels[-1]

    @property
    def is_list(self) -> bool:
        """Return whether it is an array."""
        return self.levels.endswith(b"[")


class Document:
    """A body and its outermost container, in pieces."""

    def __init__(self, body: bytes, limits: JsonLimits, *, first_counts: bool) -> None:
        self.body = body
        self.root: Node = Node(b"[")
        self._limits = limits
        self._first_counts = first_counts
        self._tokens = 0

    def text(self, node: Node, run: Run) -> bytes:
        """Return a run of a container as a document."""
        wrapped = b"[%b]" if node.is_list else b"{%b}"
        return wrapped % self.body[run.start : run.end]

    def first(self, node: Node, run: Run) -> Any:
        """Return the first value of a run of a list, without the others."""
        text = self.body[run.start : run.end].decode("utf-8", "surrogateescape")
        try:
            return _DECODER.raw_decode(text.lstrip(_WHITE))[0]
        except (ValueError, RecursionError):
            return self._parse(node, run)[0]

    def values(self, node: Node, run: Run) -> Any:
        """Return a run's values: a list, or a dict of the members.

        Raises StatusError for a document of too many values.
        """
        self.check_count()
        return self._parse(node, run)

    def _parse(self, node: Node, run: Run) -> Any:
        if not run.is_plain:
            return self.read_weird(node, run)
        text = self.text(node, run)
        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError:  # nesting that simdjson takes
            return self.read_on(node, run.start, run.end).values
        return self._with_first(node, run, text, values)

    def read_weird(self, node: Node, run: Run) -> Any:
        """Return the values of a run of any JSON. Raises StatusError if it is invalid."""
        text = self.text(node, run)
        values = _read_loosely(text)
        if not values:
            return self.read_on(node, run.start, run.end).values
        return self._with_first(node, run, text, values)

    def _with_first(self, node: Node, run: Run, text: bytes, values: Any) -> Any:
        """Keep the first of repeated keys, where the first wins."""
        if self._has_first(node) and b":" in text and _repeats_a_key(text, values):
            return self.read_on(node, run.start, run.end).values
        return values

    def _has_first(self, node: Node) -> bool:
        """Return whether the first of an object's repeated keys wins."""
        return self._first_counts or node.levels == b"{"

    def read_on(
        self, node: Node, at: int, end: int | None = None, *, is_behind: bool = False
    ) -> Reading:
        """Parse exactly from inside a container to an offset between its values or the error."""
        place = Place(node.levels, at, end, is_first=not node.items, is_behind=is_behind)
        first = self._first_counts
        reading = read_on(self.body, place, self._tokens, first_counts=first)
        self._tokens = reading.tokens
        return reading

    def check_count(self) -> None:
        """Refuse a document of too many Python values. Raises StatusError."""
        if self._is_too_much:
            raise too_many_values()

    def check_objects(self, node: Node) -> None:
        """Refuse a list of too many objects, whatever their content. Raises StatusError."""
        if node.count > self._limits.lists:
            raise too_many_values()

    @cached_property
    def _is_too_much(self) -> bool:
        return self._limits.are_passed_by(self.body)

    def members(self, node: Node) -> Iterator[tuple[str, Any]]:
        """Yield the members of an object; large values as nodes. Names may repeat."""
        for item in node.items:
            if isinstance(item, Run):
                yield from self._parse(node, item).items()
            else:
                yield item

    def items(self, node: Node) -> dict[str, Any]:
        """Return the members of an object, each once; large values as nodes."""
        self.check_count()
        items: dict[str, Any] = {}
        for name, value in self.members(node):
            if name not in items or not self._has_first(node):
                items[name] = value
        return items

    def find(self, names: Collection[str]) -> dict[str, Any]:
        """Return the members of the document's outermost object that have one of these names."""
        members_by_name: dict[str, Any] = {}
        for name, value in self.members(self.root):
            if name in names:
                members_by_name.setdefault(name, value)
        return members_by_name

    def value(self, node: Any) -> Any:
        """Return a value completely: a node as a list or dict."""
        if not isinstance(node, Node):
            return node
        if not node.is_list:
            return {name: self.value(item) for name, item in self.items(node).items()}
        joined: list[Any] = []
        for item in node.items:
            if isinstance(item, Run):
                joined += self.values(node, item)
            else:
                joined.append(self.value(item[1]))
        return joined

    def shown(self, node: Any) -> Any:
        """Return the part of a value that an error text can show."""
        if not isinstance(node, Node):
            return node
        if not node.is_list:
            return self._shown_members(node)
        shown: list[Any] = []
        for item in node.items:
            if len(shown) >= _MOST_SHOWN:
                break
            if isinstance(item, Run):
                shown += self._parse(node, item)
            else:
                shown.append(self.shown(item[1]))
        return shown

    def _shown_members(self, node: Node) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, item in self.members(node):
            if len(shown) >= _MOST_SHOWN:
                break
            if name not in shown or not self._has_first(node):
                shown[name] = self.shown(item)
        return shown


def _read_loosely(text: bytes) -> Any:
    """Return the values if Python's own parser is known to agree with rapidjson, else None."""
    if _SURROGATE.search(text) or _LONG_NUMBER.search(text):
        return None
    if b'"' not in text:
        text = text.replace(b"-NaN", b"NaN")
        text = text.replace(b"Infinity", b"Inf").replace(b"Inf", b"Infinity")
    try:
        return json.loads(text.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None


def _repeats_a_key(text: bytes, values: Any) -> bool:
    """Return whether objects have fewer members than the text has colons outside of strings."""
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text
    colons = sum(part.count(b":") for part in plain.split(b'"')[::2])
    return colons != _count_members(values)


def _count_members(values: Any) -> int:
    """Return the number of members of all objects; level by level, to be fast."""
    count, level = 0, [values]
    while level:
        kinds = set(map(type, level))
        dicts = [value for value in level if type(value) is dict] if dict in kinds else []
        lists = [value for value in level if type(value) is list] if list in kinds else []
        count += sum(map(len, dicts))
        level = [
            *chain.from_iterable(map(dict.values, dicts)),
            *chain.from_iterable(lists),
        ]
    return count
