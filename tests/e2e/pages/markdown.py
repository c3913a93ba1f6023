"""The commands of a page of the documentation, each with the output that the page shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
_BLOCK = re.compile(r"^```(console|bash|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPACE = re.compile(r"(\\ )+")
_CHANGES = re.compile(r"(?:v[0-9]+\\-)?(?P<digest>[0-9a-f]{12,64})|[0-9]+(?:[.,:\\\-+e]*[0-9]+)*")
"""What a run prints otherwise: digests and numbers, times included, in an escaped pattern."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command as a user types it, and what the page shows of its output."""

    command: str
    shown: str = ""


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the language and the text of each block of commands; `page` is below the root."""
    return _BLOCK.findall((ROOT / page).read_text("utf-8"))


def lines(page: str, without: tuple[str, ...] = ()) -> list[Line]:
    """Return the commands of a page in their order, but not of blocks with one of these texts."""
    return [
        line
        for language, text in blocks(page)
        if not any(part in text for part in without)
        for line in (_prompted(text) if language == "console" else _script(text))
    ]


def yaml_blocks(page: str) -> list[str]:
    """Return the texts of the YAML blocks of a page."""
    return _YAML.findall((ROOT / page).read_text("utf-8"))


def python_blocks(page: str) -> list[str]:
    """Return the texts of the Python blocks of a page."""
    return _PYTHON.findall((ROOT / page).read_text("utf-8"))


def targets(page: str) -> dict[str, dict[str, object]]:
    """Return the targets in the project files that a page shows, with their fields."""
    found: dict[str, dict[str, object]] = {}
    for text in yaml_blocks(page):
        data = yaml.safe_load(text)
        for name, fields in (data.get("targets") or {}).items() if isinstance(data, dict) else ():
            if "provider" in fields:
                found.setdefault(name, {}).update(fields)
    return found


def missing(line: Line, printed: str) -> list[str]:
    """Return the lines that the page shows and the command did not print.

    Digests and numbers may differ, and so may the width of the columns; `…` stands for anything.
    """
    text = " ".join(printed.split())
    return [each for each in line.shown.splitlines() if not re.search(_pattern(each), text)]


def _prompted(block: str) -> Iterator[Line]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, rest = _whole(part.splitlines())
        yield Line(command, "\n".join(rest))


def _script(block: str) -> Iterator[Line]:
    rest = block.splitlines()
    while rest:
        command, rest = _whole(rest)
        if command.strip():
            yield Line(command)


def _whole(typed: list[str]) -> tuple[str, list[str]]:
    """Return the first command, which may have several lines, and the lines after it."""
    for count in range(1, len(typed) + 1):
        command = "\n".join(typed[:count])
        if not command.endswith("\\") and _is_closed(command):
            return command, typed[count:]
    raise AssertionError(f"a quotation is open: {typed}")


def _is_closed(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def _pattern(shown: str) -> str:
    pieces = re.split(r"…|\.\.\.", " ".join(shown.split()))
    return ".*".join(_generalized(re.escape(piece)) for piece in pieces)


def _generalized(pattern: str) -> str:
    def change(match: re.Match[str]) -> str:
        return r"(?:v\d+-)?[0-9a-f]+" if match["digest"] else r"[-\d.,:e+]+"

    return _SPACE.sub(" ", _CHANGES.sub(change, pattern))
