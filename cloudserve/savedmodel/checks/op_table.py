"""The ops of each TensorFlow version: `op_table.txt`, which `tools/op_table.py` writes.

A patch release has the ops of its minor version. For a version that the table does not have, no
statement is made. `kernel_table` has tables of the same form.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("op_table.txt")
TITLE = "Ops by the versions of TensorFlow that register them, from the registry of each library."
_HEADER = """\
# {title}
# Written by tools/op_table.py. FIRST-LAST: the ops of these versions and those between; an op that
# went and came back has two lines. All versions: {versions}
"""
_ALL = "All versions: "
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class OpTable:
    """The ops of each version."""

    versions: Mapping[str, frozenset[str]]
    """By minor version such as `2.15`, oldest first."""

    def listed(self, ops: Iterable[str], version: str) -> tuple[str, ...]:
        """Return the ops that a version has, sorted; () for an unknown version."""
        return tuple(sorted(self.versions.get(minor_version(version), frozenset()) & set(ops)))

    def missing(self, ops: Iterable[str], version: str) -> tuple[str, ...]:
        """Return the ops that a version does not have, sorted; () for an unknown version."""
        ops_of_version = self.versions.get(minor_version(version))
        return () if ops_of_version is None else tuple(sorted(set(ops) - ops_of_version))

    def foreign(self, ops: Iterable[str]) -> tuple[str, ...]:
        """Return the ops that no version of TensorFlow has, sorted."""
        return tuple(sorted(set(ops).difference(*self.versions.values())))

    def first(self, op: str) -> str:
        """Return the oldest version that has an op, or ""."""
        return next((version for version, ops in self.versions.items() if op in ops), "")


def minor_version(version: str) -> str:
    """Return `2.15` for `2.15.1`."""
    return ".".join(version.split(".")[:2])


def spans_text(versions: Sequence[str], of: Sequence[str]) -> str:
    """Return versions as spans of all versions `of`: `1.15 to 2.8, 2.20 to 2.21`; "" for none."""
    runs: list[list[str]] = [[]]
    for version in of:
        if version in versions:
            runs[-1].append(version)
        elif runs[-1]:
            runs.append([])
    return ", ".join(" to ".join(dict.fromkeys((run[0], run[-1]))) for run in runs if run)


@cache
def read_table() -> OpTable:
    """Read the table of this package."""
    return parse_table(TABLE.read_text("utf-8"))


def parse_table(text: str) -> OpTable:
    """Parse a table."""
    _, _, rest = text.partition(_ALL)
    order = rest.partition("\n")[0].split()
    versions: dict[str, set[str]] = {version: set() for version in order}
    span: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if line.startswith("#") or not words:
            continue
        if not line.startswith(" "):
            first, _, last = words.pop(0).partition("-")
            span = order[order.index(first) : order.index(last) + 1]
        for version in span:
            versions[version].update(words)
    return OpTable({version: frozenset(ops) for version, ops in versions.items()})


def write_table(table: OpTable, title: str = TITLE) -> str:
    """Return a table as text."""
    order = sorted(table.versions, key=lambda version: tuple(map(int, version.split("."))))
    spans: dict[tuple[int, int], list[str]] = {}
    for op in sorted(set().union(*table.versions.values())):
        for span in _spans([op in table.versions[version] for version in order]):
            spans.setdefault(span, []).append(op)
    lines = [_HEADER.format(title=title, versions=" ".join(order))]
    for first, last in sorted(spans):
        text = f"{order[first]}-{order[last]} {' '.join(spans[first, last])}"
        wrap = textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        lines.append(f"{wrap}\n")
    return "".join(lines)


def _spans(present: list[bool]) -> list[tuple[int, int]]:
    """Return the first and last index of each run of True."""
    spans: list[tuple[int, int]] = []
    for index, here in enumerate(present):
        if here and spans and spans[-1][1] == index - 1:
            spans[-1] = (spans[-1][0], index)
        elif here:
            spans.append((index, index))
    return spans
