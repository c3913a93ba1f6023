"""Conversion of errors to lines on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from cloudserve import errors
from cloudserve.cli.colours import toned, use_colours
from cloudserve.cli.command_tree import cli
from cloudserve.cli.exits import ANY_ERROR, Exit
from cloudserve.cli.render.formats import FOR_PROGRAMS
from cloudserve.cli.usage_hints import usage_hint
from cloudserve.cli.verbosity import is_on, reset
from cloudserve.hints import in_environment, without_controls

# The first matching class decides.
CODES: tuple[tuple[type[errors.CloudserveError], Exit], ...] = (
    (errors.UserError, Exit.USAGE),
    (errors.ModelError, Exit.MODEL),
    (errors.RemoteError, Exit.REMOTE),
    (errors.ConflictError, Exit.CONFLICT),
    (errors.CheckFailedError, Exit.CHECK),
)

_SHOWN = 40
"""The characters of a text that are shown where a name is expected."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as it is printed: three lines for people, or one JSON object for programs."""

    code: int
    message: str
    where: str | None = None
    hint: str | None = None
    request_id: str | None = None
    notes: tuple[str, ...] = ()

    def in_environment(self, environment: str) -> Failure:
        """Return the failure with an environment in the commands that it names."""
        hint = in_environment(self.hint or "", environment) or None
        notes = tuple(in_environment(note, environment) for note in self.notes)
        return replace(self, hint=hint, notes=notes)

    @property
    def lines(self) -> list[str]:
        """Return the lines for people."""
        fields = {"where": self.where, "request": self.request_id, "to do": self.hint}
        details = [f"  {name}: {text}" for name, text in fields.items() if text]
        begin = "" if self.code is Exit.INTERRUPTED else "error: "
        lines = [f"{begin}{self.message}", *details, *(f"  {note}" for note in self.notes)]
        return list(map(without_controls, lines))  # they may quote a server, a container, a file

    def printed(self, output: str, arguments: Sequence[str]) -> list[str | bytes]:
        """Return the lines for a format of the result."""
        if output in FOR_PROGRAMS:  # an object of JSON is YAML, and a line of NDJSON
            return [self.document]
        if output != "github" or self.code is Exit.INTERRUPTED:
            return list(self.lines)
        from cloudserve.cli.render.github import annotation

        title = " ".join(["cloudserve", *arguments[:1]])
        text = f"{self.message}\n{self.hint}" if self.hint else self.message
        return [*self.lines, annotation("error", title, text, self.where)]

    @property
    def document(self) -> bytes:
        """Return the object for programs, on one line."""
        import msgspec

        fields = {"message": self.message, "where": self.where, "hint": self.hint}
        rest = {"request_id": self.request_id, "notes": self.notes, "exit_code": self.code}
        return msgspec.json.encode({"error": fields | rest})


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are printed on stderr."""
    reset()
    debug = "--debug" in arguments or is_on(os.environ.get("CLOUDSERVE_DEBUG", ""))
    try:
        # The code of `click.exceptions.Exit`, or the command's return value.
        code = cli.main(list(arguments), prog_name="cloudserve", standalone_mode=False)
    except SystemExit:
        # Click exits when the reader of a pipe closes it (`| head`), and after shell completion.
        return Exit.OK
    except click.exceptions.NoArgsIsHelpError as error:
        error.show(sys.stderr)
        return Exit.USAGE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error is printed here
        failure = _failure(error, arguments).in_environment(_environment(arguments))
        if _is_detailed(arguments) and failure.code is not Exit.INTERRUPTED:
            failure = replace(failure, code=ANY_ERROR)
        if debug and not isinstance(error, click.ClickException | click.Abort | KeyboardInterrupt):
            traceback.print_exception(error)
        for line in failure.printed(_output(arguments), arguments):
            text = line if isinstance(line, bytes) else toned(line)
            click.echo(text, err=True, color=use_colours())
        return failure.code
    return code if isinstance(code, int) else Exit.OK


def _is_detailed(arguments: Sequence[str]) -> bool:
    return "--detailed-exitcode" in arguments or (
        arguments[:1] == ["plan"] and is_on(os.environ.get("CLOUDSERVE_PLAN_DETAILED_EXITCODE", ""))
    )


def _output(arguments: Sequence[str]) -> str:
    """Return the format that was asked for; also for a command that cannot be parsed."""
    return _option(arguments, "--output", "CLOUDSERVE_OUTPUT", short="-o")


def _environment(arguments: Sequence[str]) -> str:
    """Return the environment that was chosen."""
    return _option(arguments, "--env", "CLOUDSERVE_ENV")


def _option(arguments: Sequence[str], name: str, variable: str, *, short: str = "") -> str:
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument and argument in {name, short}:
            return "".join(arguments[number + 1 : number + 2])
        for prefix in (f"{name}=", short):
            if prefix and argument.startswith(prefix):
                return argument.removeprefix(prefix)
    return os.environ.get(variable, "")


def _failure(error: BaseException, arguments: Sequence[str]) -> Failure:
    match error:
        case click.ClickException():
            return _usage_failure(error, arguments)
        case KeyboardInterrupt() | click.Abort():
            return Failure(Exit.INTERRUPTED, "interrupted", notes=_notes(error))
        case errors.CloudserveError():
            code = next((code for kind, code in CODES if isinstance(error, kind)), Exit.BUG)
            request_id = error.request_id if isinstance(error, errors.RemoteError) else None
            where = error.where or _command_path(arguments)  # a flag's value has no other place
            return Failure(code, error.message, where, error.hint, request_id, _notes(error))
        case OSError(errno=errno.ENAMETOOLONG):
            return _long_name_failure(error, arguments)
    bug = "this is a bug in cloudserve; report it with the traceback of `cloudserve --debug …`"
    return Failure(Exit.BUG, f"{type(error).__name__}: {error}", notes=(bug, *_notes(error)))


def _long_name_failure(error: OSError, arguments: Sequence[str]) -> Failure:
    """Return the failure of a text that no file can have as its name, such as a request."""
    command = _command_path(arguments)
    message = f"`{str(error.filename)[:_SHOWN]}…` is too long for the name of a file"
    return Failure(Exit.USAGE, message, command, f"name a file; {command} --help")


def _usage_failure(error: click.ClickException, arguments: Sequence[str]) -> Failure:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else _command_path(arguments)
    message = error.format_message()
    hint = usage_hint(error, arguments) if isinstance(error, click.UsageError) else ""
    return Failure(
        Exit.USAGE, f"{message[:1].lower()}{message[1:]}", command, hint or f"{command} --help"
    )


def _command_path(arguments: Sequence[str]) -> str:
    """Return the command that arguments name; click does not say whose option has no argument."""
    words: list[str] = ["cloudserve"]
    command: click.Command = cli
    for word in (word for word in arguments if not word.startswith("-")):
        inner = isinstance(command, click.Group) and command.get_command(
            click.Context(command), word
        )
        if not inner:
            break
        words.append(word)
        command = inner
    return " ".join(words)


def _notes(error: BaseException | None) -> tuple[str, ...]:
    # Include the notes of causes: Click turns Ctrl-C into an Abort, a second one hides the first.
    lines: list[str] = []
    while error is not None:
        notes = getattr(error, "__notes__", [])
        lines += [line for note in notes for line in note.splitlines()]
        error = error.__cause__ or error.__context__
    return tuple(lines)
