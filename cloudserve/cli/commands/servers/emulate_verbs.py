"""`cloudserve emulate status` and `cloudserve emulate stop`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cloudserve.cli.options import print_progress
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import (
    Report,
    Table,
    output_option,
    print_report,
    print_written,
)
from cloudserve.cli.servers.variables import ExportsCommand, print_exports
from cloudserve.hints import printable

Function = TypeVar("Function", bound=Callable[..., Any])
_STOP_SECONDS = 60.0


class WithVerbs(ExportsCommand):
    """The command `emulate`, whose first argument may be `status` or `stop`.

    A COMMAND of one of these names needs `--` before it.
    """

    @property
    def commands(self) -> dict[str, click.Command]:
        """Return the verbs, as a group has its commands."""
        return VERBS

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Make the context of a verb, or of the command itself."""
        verb = VERBS.get(args[0]) if args else None
        if verb is None:
            arguments = tuple(args)
            context = super().make_context(info_name, args, parent, **extra)
            context.meta[ARGUMENTS] = arguments
            return context
        return verb.make_context(f"{info_name} {verb.name}", args[1:], parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs below the options."""
        super().format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, verb.get_short_help_str(90)) for name, verb in VERBS.items()]
            )


ARGUMENTS = "cloudserve.emulate.arguments"
"""The key of the command's arguments in its context, as they were given."""


def data_option(*, required: bool) -> Callable[[Function], Function]:
    """Return the option for the data folder."""
    texts = {
        True: "The data folder of the offline clouds.",
        False: "The folder that keeps buckets and resources; by default they end with the process.",
    }
    return click.option(
        "--data",
        type=NamedPath(file_okay=False),
        envvar="CLOUDSERVE_EMULATE_DATA",
        show_envvar=True,
        required=required,
        help=texts[required],
    )


@click.command("status", cls=ExportsCommand)
@data_option(required=True)
@click.option("--env", "as_exports", is_flag=True, help="Print shell exports only.")
@output_option
def status_command(*, data: Path, as_exports: bool, output: str) -> None:
    """Show whether the offline clouds of a data folder run; exit with 6 if they do not."""
    from cloudserve.errors import CheckFailedError
    from cloudserve.local.running import read_running

    running = read_running(data)
    if running is None:
        raise CheckFailedError(
            "no offline clouds run with this data folder",
            where=str(data),
            hint=f"start them: cloudserve emulate --detach --data {data}",
        )
    if as_exports:
        print_exports(running.environment)
        return
    fields = {"url": running.url, "pid": running.pid, "data": str(data)}
    row = (running.url, str(running.pid), str(data))
    document = fields | {"environment": dict(running.environment)}
    print_report(Report(document, (Table(("URL", "PROCESS", "DATA"), (row,)),)), output)


@click.command("stop")
@data_option(required=True)
@output_option
def stop_command(*, data: Path, output: str) -> None:
    """Stop the offline clouds of a data folder, and wait until they have ended.

    Does nothing if they do not run. Buckets and resources stay in the folder.
    """
    from cloudserve.local.running import read_running, stop_running

    running = read_running(data)
    if running is None:
        print_progress(f"no offline clouds run with {data}")
    else:
        stop_running(running, _STOP_SECONDS)
        print_progress(f"stopped the offline clouds on {running.url}")
    print_written({"data": printable(data), "stopped": running is not None}, output)


VERBS: dict[str, click.Command] = {"status": status_command, "stop": stop_command}
