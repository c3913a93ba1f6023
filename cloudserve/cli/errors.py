"""Conversion of errors to lines on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum

import click

from cloudserve import errors
from cloudserve.cli.command_tree import cli


class Exit(IntEnum):
    """The exit codes, as documented in docs/reference/exit-codes.md."""

    OK = 0
    BUG = 1
    USAGE = 2
    MODEL = 3
    REMOTE = 4
    CONFLICT = 5
    CHECK = 6
    PENDING = 10
    INTERRUPTED = 130


# The first matching class decides.
CODES: tuple[tuple[type[errors.CloudserveError], Exit], ...] = (
    (errors.UserError, Exit.USAGE),
    (errors.ModelError, Exit.MODEL),
    (errors.RemoteError, Exit.REMOTE),
    (errors.ConflictError, Exit.CONFLICT),
    (errors.CheckFailedError, Exit.CHECK),
)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are printed on stderr."""
    debug = "--debug" in arguments or bool(os.environ.get("CLOUDSERVE_DEBUG"))
    try:
        # The code of `click.exceptions.Exit`, or the command's return value.
        code = cli.main(list(arguments), prog_name="cloudserve", standalone_mode=False)
    except SystemExit:
        # Click exits when the reader of a pipe closes it (`| head`), and after shell completion.
        return Exit.OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error is printed here
        return _report(error, debug=debug)
    return code if isinstance(code, int) else Exit.OK


def _report(error: BaseException, *, debug: bool) -> int:
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show(sys.stderr)
            return Exit.USAGE
        case click.ClickException():
            return _report_usage(error)
        case KeyboardInterrupt() | click.Abort():
            _print_lines("interrupted", *_notes(error))
            return Exit.INTERRUPTED
        case errors.CloudserveError():
            return _report_expected(error, debug=debug)
    return _report_bug(error, debug=debug)


def _report_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "cloudserve"
    message = error.format_message()
    _print_lines(
        f"error: {message[:1].lower()}{message[1:]}",
        f"  where: {command}",
        f"  to do: {command} --help",
    )
    return Exit.USAGE


def _report_expected(error: errors.CloudserveError, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    where = [f"  where: {error.where}"] if error.where else []
    hint = [f"  to do: {error.hint}"] if error.hint else []
    request_id = error.request_id if isinstance(error, errors.RemoteError) else None
    request = [f"  request: {request_id}"] if request_id else []
    _print_lines(f"error: {error.message}", *where, *request, *hint, *_notes(error))
    return next((code for kind, code in CODES if isinstance(error, kind)), Exit.BUG)


def _report_bug(error: BaseException, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    _print_lines(
        f"error: {type(error).__name__}: {error}",
        "  this is a bug in cloudserve; report it with the traceback of `cloudserve --debug …`",
        *_notes(error),
    )
    return Exit.BUG


def _notes(error: BaseException | None) -> list[str]:
    # Include the notes of causes: Click turns Ctrl-C into an Abort, a second one hides the first.
    lines: list[str] = []
    while error is not None:
        notes = getattr(error, "__notes__", [])
        lines += [f"  {line}" for note in notes for line in note.splitlines()]
        error = error.__cause__ or error.__context__
    return lines


def _print_lines(*lines: str) -> None:
    for line in lines:
        click.echo(line, err=True)
