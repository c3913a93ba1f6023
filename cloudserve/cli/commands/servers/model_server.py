"""`cloudserve model-server`: the command line, output and exit codes of tensorflow_model_server.

Source: tensorflow_serving/model_servers/main.cc. docs/reference/cli.md lists the flags.
"""

from __future__ import annotations

import click

from cloudserve.cli.servers.logs import log_to_stderr
from cloudserve.cli.servers.loop import exit_cleanly_on_sigterm, run_model_server
from cloudserve.errors import CloudserveError
from cloudserve.local.servers import ModelServer

# main.cc returns -1 for every failure.
FAILED = 255
PROGRAM = "cloudserve model-server"


class RawCommand(click.Command):
    """A command whose arguments are parsed by the model server."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Pass on all arguments unchanged."""
        ctx.params["arguments"] = tuple(args)
        return []

    def get_help(self, ctx: click.Context) -> str:
        """Return the server's usage text."""
        from cloudserve import registry

        del ctx  # click's signature
        return registry.local_server().usage(PROGRAM).rstrip()


@click.command("model-server", cls=RawCommand)
def command(*, arguments: tuple[str, ...]) -> None:
    """Run a drop-in replacement for tensorflow_model_server."""
    exit_cleanly_on_sigterm()
    from cloudserve import registry

    local_server = registry.local_server()
    flags = local_server.parse_flags(arguments)
    usage = local_server.usage(PROGRAM)
    for problem in flags.problems:
        click.echo(problem, err=True)
    if not flags.is_usable:
        click.echo(usage, nl=False)
        raise click.exceptions.Exit(FAILED)
    if flags.is_on("version"):
        _show_versions()
        return
    if flags.unknown:
        click.echo(f"unknown argument: {flags.unknown[0]}\n{usage}", nl=False)
    try:
        log_to_stderr(flags.text("log_format"))
        _serve(local_server.flagged_server(arguments))
    except CloudserveError as error:
        click.echo(f"Failed to start server. Error: {_status(error)}")
        raise click.exceptions.Exit(FAILED) from error


def _serve(server: ModelServer) -> None:
    def announce() -> None:
        if server.grpc_address:
            click.echo(f"Running gRPC ModelServer at {server.grpc_address} ...", err=True)
        if server.address:
            address = server.address.partition("://")[2]
            click.echo(f"Exporting HTTP/REST API at:{address} ...", err=True)
        if server.console_url:
            click.echo(f"console: {server.console_url}", err=True)

    run_model_server(server, announce)


def _status(error: CloudserveError) -> str:
    """Return an error in the format of absl::Status: its code and message."""
    code = getattr(error, "code", None)
    text = "; ".join(part for part in (error.message, error.hint) if part)
    return f"{code.name if code else 'UNKNOWN'}: {text}"


def _show_versions() -> None:
    from importlib.metadata import PackageNotFoundError, version

    from cloudserve._version import __version__

    try:
        tensorflow = version("tensorflow")
    except PackageNotFoundError:
        tensorflow = "not installed"
    click.echo(f"TensorFlow ModelServer: {__version__} (cloudserve)")
    click.echo(f"TensorFlow Library: {tensorflow}")
