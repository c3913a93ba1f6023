"""Colours of a terminal, and the variables that turn them off and on.

NO_COLOR turns them off (no-color.org), FORCE_COLOR on, as many CI systems show colours although
their logs are no terminals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

_OFF = {"", "0", "false"}
_TONES = {"error:": "red", "warning:": "yellow", "breaking:": "yellow"}
"""The colours of the words at the beginning of a line."""


def use_colours(environ: Mapping[str, str] = os.environ) -> bool | None:
    """Return whether to print colours; None if it depends on the stream being a terminal."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "").lower() not in _OFF:
        return True
    return False if environ.get("TERM") == "dumb" else None


def coloured(line: str, colour: str) -> str:
    """Return a line in a colour, if it has one."""
    return click.style(line, fg=colour) if colour else line


def toned(line: str) -> str:
    """Return a line with the colour of its first word: red for an error, yellow for a warning."""
    word, space, rest = line.partition(" ")
    if word not in _TONES:
        return line
    return f"{click.style(word, fg=_TONES[word], bold=True)}{space}{rest}"
