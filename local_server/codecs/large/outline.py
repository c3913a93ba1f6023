"""Outlines of large JSON documents: pieces that are parsed one by one, none for long.

A parser in C holds the GIL from a document's first byte to its last, and its values take many
times the document's size: 100 MB are 100 KB of gzip. Here containers are cut between their values
into runs of about `RUN_BYTES`, which are wrapped in their own brackets. A run that is not plain
JSON is parsed by the exact parser from its start, so that errors have the document's
offsets and rapidjson's words.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NoReturn

import numpy as np
import orjson
import simdjson

from ..json.nonfinite import as_finite
from ..json.scanner import skip_space
from ..json.structure import Ending, find_ending
from ..limits import JsonLimits
from .document import Document, Node, Run

RUN_BYTES = 2**17
_MOST_LEVELS = 12
"""The maximum nesting of containers larger than a run. Tensors have fewer dimensions."""
_NAME = re.compile(rb'("(?>[^"\\\x00-\x1f]++|\\.)*+")[ \t\n\r]*+:[ \t\n\r]*+')
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OPENINGS = b"[{"
_CLOSING = {ord("["): ord("]"), ord("{"): ord("}")}
_COMMA = ord(",")


class DeepError(ValueError):
    """A document that cannot be cut into pieces: too deeply nested, or not a container."""


def read_outline(body: bytes, limits: JsonLimits, *, first_counts: bool) -> Document:
    """Return a document in pieces, all of which are valid JSON.

    If the outermost object repeats a key, its first value wins; in other objects with
    `first_counts`. Raises StatusError (INVALID_ARGUMENT) with rapidjson's text and offset, and
    DeepError for a document that must be parsed as a whole.
    """
    document = Document(body, limits, first_counts=first_counts)
    start = len(_BYTE_ORDER_MARK) if body.startswith(_BYTE_ORDER_MARK) else 0
    start = skip_space(body, start)
    if start == len(body) or body[start] not in _OPENINGS:
        raise DeepError
    document.root = _Outliner(document).container(start, b"")
    return document


class _Outliner:
    """Cuts one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._body = document.body
        self._data = np.frombuffer(document.body, np.uint8)
        self._parser = simdjson.Parser()

    def container(self, start: int, around: bytes) -> Node:
        """Return the container that begins at an offset, within containers with these openings."""
        if len(around) == _MOST_LEVELS:
            raise DeepError
        node = Node(around + self._body[start : start + 1])
        at: int | None = start + 1
        while at is not None:
            at = self._item(node, at)
        return node

    def _item(self, node: Node, at: int) -> int | None:
        """Add the next item; return the start of the one after it, None after the last."""
        ending = self._look(at, RUN_BYTES)
        if ending.close is not None:
            self._close(node, at, ending.close, ending.commas)
            return None
        if ending.last_comma is not None:
            return self._run(node, at, ending.last_comma, ending.commas)
        return self._large(node, at)

    def _look(self, at: int, size: int) -> Ending:
        return find_ending(self._data, at, min(at + size, len(self._body)))

    def _close(self, node: Node, at: int, close: int, commas: int) -> None:
        """Add the values before the end of a container, if there are any."""
        if self._body[close] != _CLOSING[node.opening]:
            self._refuse(node, at)
        if node.items or skip_space(self._body, at) != close:
            self._run(node, at, close, commas + 1)
        node.end = close + 1

    def _run(self, node: Node, start: int, end: int, count: int) -> int:
        """Add a run of JSON; an empty one is next to a superfluous comma."""
        run = Run(start, end, count)
        if skip_space(self._body, start) >= end or not self._is_plain(node, run):
            run = self._weird(node, run)
        node.items.append(run)
        return end + 1

    def _is_plain(self, node: Node, run: Run) -> bool:
        return self._parses(self._document.text(node, run))

    def _parses(self, text: bytes) -> bool:
        try:
            self._parser.parse(text)
        except (ValueError, RuntimeError):
            return False
        return True

    def _weird(self, node: Node, run: Run) -> Run:
        """Return a run that is not plain JSON. Raises StatusError if it is invalid."""
        finite = as_finite(self._document.text(node, run))
        if finite is not None and self._parses(finite):
            return replace(run, is_plain=False, is_finite=False)
        run = replace(run, is_plain=False)
        self._document.check_count()
        self._document.read_weird(node, run)
        return run

    def _large(self, node: Node, at: int) -> int | None:
        """Add a value that is larger than a run: in pieces if it is a container."""
        start, name = skip_space(self._body, at), ""
        if not node.is_list:
            match = _NAME.match(self._body, start, start + RUN_BYTES)
            if match is None or (plain := _plain_name(match[1])) is None:
                return self._scalar(node, at)
            start, name = match.end(), plain
        if self._body[start : start + 1] not in {b"[", b"{"}:
            return self._scalar(node, at)
        child = self.container(start, node.levels)
        node.items.append((name, child))
        return self._behind(node, child.end)

    def _scalar(self, node: Node, at: int) -> int | None:
        """Add a long string, or another long value that is not a container."""
        reading = self._document.read_on(node, at, at + 1)
        if node.is_list:
            node.items += [("", value) for value in reading.values]
        else:
            node.items += reading.values.items()
        return self._behind(node, reading.end)

    def _behind(self, node: Node, at: int) -> int | None:
        after = skip_space(self._body, at)
        byte = self._body[after] if after < len(self._body) else None
        if byte == _COMMA:
            return after + 1
        if byte != _CLOSING[node.opening]:
            self._refuse(node, at, is_behind=True)
        node.end = after + 1
        return None

    def _refuse(self, node: Node, at: int, *, is_behind: bool = False) -> NoReturn:
        """Raise the exact parser's error for a document that is invalid here or later."""
        self._document.read_on(node, at, is_behind=is_behind)
        raise DeepError  # the parser finds no error: it must parse the whole document


def _plain_name(text: bytes) -> str | None:
    """Return the name that a JSON string encodes; None if it is not plain."""
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None
