"""`cloudserve serve`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.running import run_until_stopped


@click.command("serve")
@click.argument("path", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--name", help="The model's name in URLs; the directory's by default.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    envvar="CLOUDSERVE_PORT",
    show_envvar=True,
    help="The REST port; 0 picks a free one.",
)
def command(*, path: Path, name: str | None, host: str, port: int) -> None:
    """Serve models with TensorFlow Serving's REST API.

    PATH is a SavedModel directory, a model's base path of NUMBER/ ones, or a folder of base paths.
    The highest version of each model is served.
    """
    from cloudserve import registry

    server = registry.server("model-server")(path, name=name, host=host, port=port)

    def announce() -> None:
        click.echo(f"serving {', '.join(server.models)} on {server.address}", err=True)

    registry.server("run")(run_until_stopped(server, announce))
