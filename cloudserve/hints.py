"""Hints for errors about unknown names; names and texts made printable."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Iterable

_ON_TARGET = re.compile(r"cloudserve [a-z]+ [^`;\n]*?--target [^\s`,;]+")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the closest known name, or with all of them if none is close."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{close[0]}`?" if close else choose_from(names)


def choose_from(names: Iterable[object]) -> str:
    """Return a hint that lists the names to choose from."""
    return f"name one of these: {', '.join(map(str, names)) or '(there are none)'}"


def in_environment(text: str, environment: str) -> str:
    """Return a text whose commands on a target choose an environment of the project file.

    Without it, a command that is copied from the text would change another environment.
    """
    if not environment:
        return text
    return _ON_TARGET.sub(lambda found: f"{found[0]} --env {shlex.quote(environment)}", text)


def printable(name: str | os.PathLike[str]) -> str:
    """Return a path or another name of the operating system, invalid UTF-8 replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


def without_controls(text: str) -> str:
    """Return text of others without control characters: it must not steer a terminal."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text
    )


def in_markdown(text: str) -> str:
    """Return text that stays in one cell of a table and is no markup of its own."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
