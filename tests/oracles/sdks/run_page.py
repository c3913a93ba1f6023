"""Run the code of a page: `python run_page.py PAGE.md`, in the environment of one SDK.

Python blocks run one after the other in one namespace. A comment at the end of an expression has
its value (`f(1)  # => 2`) or the error that it raises (`# !! NAME: a part of its text`). In console
blocks, lines that begin with `$` are commands and the lines below are their output; `…` stands for
any text. Needs nothing but Python's standard library and what the page uses.
"""

from __future__ import annotations

import ast
import doctest
import logging
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTCOME = re.compile(r"  # (=>|!!) (.+)$")


class WrongError(Exception):
    """A page that does not say what its code does."""


def run(page: Path) -> int:
    """Run all blocks of a page; return how many statements and commands there were."""
    names: dict[str, Any] = {"__name__": page.stem}
    count = 0
    for kind, text in BLOCK.findall(page.read_text("utf-8")):
        count += _python(text, names) if kind == "python" else _console(text)
    return count


def _python(text: str, names: dict[str, Any]) -> int:
    lines, body = text.splitlines(), ast.parse(text).body
    for node in body:
        source = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        outcome = OUTCOME.search(lines[(node.end_lineno or 1) - 1])
        sign, expected = outcome.groups() if outcome else ("", "")
        if sign == "!!":
            _check_error(source, names, expected)
        elif sign == "=>":
            value = eval(ast.unparse(node), names)
            _compare(source, expected, repr(value))
        else:
            exec(compile(ast.Module([node], []), source, "exec"), names)
    return len(body)


def _check_error(source: str, names: dict[str, Any], expected: str) -> None:
    kind, _, text = expected.partition(": ")
    try:
        exec(source, names)
    except Exception as error:  # noqa: BLE001 - the page names its class
        _compare(source, f"{kind}: …{text}…", f"{type(error).__name__}: {error}")
    else:
        raise WrongError(f"{source}\ndid not raise {kind}")


def _console(text: str) -> int:
    commands = text.removeprefix("$ ").split("\n$ ")
    for each in commands:
        command, _, expected = each.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command += f"\n{more}"
        done = subprocess.run(
            ["bash", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        _compare(command, expected.strip(), done.stdout.strip())
    return len(commands)


def _compare(source: str, expected: str, actual: str) -> None:
    want = expected.replace("…", "...")
    if not doctest.OutputChecker().check_output(f"{want}\n", f"{actual}\n", doctest.ELLIPSIS):
        raise WrongError(f"{source}\nexpected: {expected}\nactual:   {actual}")


def _sleep_shortly(seconds: float, sleep: Any = time.sleep) -> None:
    """Sleep for a second at most: the SageMaker SDK polls every 30 seconds."""
    sleep(min(seconds, 1.0))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    time.sleep = _sleep_shortly
    number = run(Path(sys.argv[1]))
    sys.stdout.write(f"\n{number} statements ran as the page says\n")
