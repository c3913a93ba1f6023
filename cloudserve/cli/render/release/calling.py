"""How an application calls an endpoint, shown on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

from cloudserve.cli.options import print_progress
from cloudserve.errors import CloudserveError
from cloudserve.release.calling import CallExample


def show_calls(read: Callable[[], CallExample]) -> None:
    """Print the lines on stderr if it is a terminal: logs and pipes do not need them.

    The release is complete: an error of reading them is a line, and not the command's failure.
    """
    if not sys.stderr.isatty():
        return
    try:
        lines = call_lines(read())
    except CloudserveError as error:
        lines = [f"the ways to call it are not known: {error.message}"]
    for line in lines:
        print_progress(line)


def call_lines(example: CallExample) -> list[str]:
    """Return a title and a line for each way; long lines are for copying, so they do not wrap."""
    rows = {**({"endpoint": example.resource} if example.resource else {}), **example.ways}
    width = max(map(len, rows))
    ways = [f"  {name.ljust(width)}  {text}" for name, text in rows.items()]
    return ["", "Call it from an application:", *ways]
