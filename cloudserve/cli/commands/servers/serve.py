"""`cloudserve serve`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from cloudserve.cli.commands.servers.contracts import (
    serve_container,
    tfserving_options,
    vertex_options,
)
from cloudserve.cli.options import Decimal, Number, deny_ops_option
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.recording import record_options, take_recording
from cloudserve.cli.servers.logs import FORMS, log_to_stderr
from cloudserve.cli.servers.loop import exit_cleanly_on_sigterm, run_model_server
from cloudserve.cli.servers.variables import container_env_option
from cloudserve.errors import CloudserveError
from cloudserve.local.servers import ModelServer, ServeCommand

_PORT = Number(0, 65535)
_FILE = NamedPath(exists=True, dir_okay=False)


class _ModelLocation(NamedPath):
    """A local directory or file, or a bucket URL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a bucket URL unchanged, and the path of a directory or `file://` URL."""
        text = str(value)
        if text.startswith("file:///"):
            text = text.removeprefix("file://")
        return text if "://" in text else Path(str(super().convert(text, param, ctx)))


@click.command("serve")
@click.argument("path", type=_ModelLocation(exists=True))
@click.option(
    "--as",
    "contract",
    type=click.Choice(["tfserving", "sagemaker", "vertex"]),
    default="tfserving",
    help="Serve like TensorFlow Serving, SageMaker's TensorFlow container, or a Vertex AI "
    "container (the containers on port 8080).",
)
@click.option("--name", help="The model's name in URLs; by default the name of the directory.")
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option(
    "--port",
    type=_PORT,
    default=8501,
    envvar="CLOUDSERVE_PORT",
    show_envvar=True,
    help="The REST port; 0 picks a free one.",
)
@click.option(
    "--grpc-port",
    type=_PORT,
    default=8500,
    envvar="CLOUDSERVE_GRPC_PORT",
    show_envvar=True,
    help="The gRPC port; 0 picks a free one.",
)
@click.option(
    "--grpc-transport",
    type=click.Choice(["native", "grpcio"]),
    default="native",
    help="The gRPC transport. native is this project's HTTP/2, which is faster than grpcio.",
)
@click.option("--no-grpc", is_flag=True, help="Serve REST only.")
@click.option(
    "--batching/--no-batching",
    default=True,
    help="Run concurrent requests in batches if their measured cost shows that it is faster.",
)
@click.option(
    "--batching-parameters",
    type=_FILE,
    help="Batch by TensorFlow Serving's rules, with these BatchingParameters (a text proto).",
)
@click.option(
    "--devices",
    default="",
    metavar="DEVICES",
    help="The replicas of each model: comma-separated cpu:N, gpu:N, gpu:all or all. "
    "By default one, on the first GPU if there is one.",
)
@click.option(
    "--custom-op-libraries",
    default="",
    metavar="FILES",
    help="Shared libraries of custom ops, comma-separated; by default CLOUDSERVE_OP_LIBRARIES.",
)
@click.option("--pretty-json", is_flag=True, help="Format responses like TensorFlow Serving.")
@click.option(
    "--auth-token-file",
    type=_FILE,
    help="Require a bearer token from this file: one token per line, # for comments.",
)
@click.option(
    "--ssl-config-file",
    type=_FILE,
    help="TLS certificates for REST and gRPC, as an SSLConfig text proto.",
)
@click.option(
    "--request-log",
    type=NamedPath(file_okay=False),
    help="Log requests and responses to PredictionLog files in this folder, usable for warm-up.",
)
@click.option(
    "--request-log-rate",
    type=Decimal(0, 1),
    default=1.0,
    help="Fraction of requests to log.",
)
@click.option(
    "--console/--no-console",
    default=True,
    help="Show browsers a page about the server at /.",
)
@click.option(
    "--otel",
    is_flag=True,
    help="Trace requests by OpenTelemetry, and export the spans as its variables OTEL_… say.",
)
@record_options
@click.option("--image", help="With --as sagemaker: the URI or version of the image to imitate.")
@click.option(
    "--install-requirements",
    is_flag=True,
    help="With --as sagemaker: install code/requirements.txt into a separate folder.",
)
@deny_ops_option("none")
@container_env_option("With --as sagemaker: ")
@click.option(
    "--drain-seconds",
    type=Decimal(0),
    default=10.0,
    help="Seconds that requests in flight may take when the server is stopped.",
)
@click.option(
    "--log-format",
    type=click.Choice(FORMS),
    default=FORMS[0],
    help="The format of the log on standard error.",
)
@click.pass_context
def command(
    context: click.Context, /, *, path: Path | str, contract: str, log_format: str, **options: Any
) -> None:
    """Serve models with TensorFlow Serving's REST and gRPC APIs.

    PATH is a SavedModel directory, a base path with NUMBER/ directories, or a folder of base paths.
    These can also be in a bucket, except the last: gs://BUCKET/PATH, s3://BUCKET/PATH.
    PATH can also be a TensorFlow Lite or ONNX file (.tflite, .onnx), or a version directory can
    hold one, as model.tflite or model.onnx: see the extras `tflite` and `onnx`.
    The highest version of each model is served; a higher version that is added later replaces it.
    With --as sagemaker PATH is a model tree as in model.tar.gz, or a model directory as for
    `deploy`, including `code/inference.py`; SAGEMAKER_ variables have the container's meaning.
    With --as vertex the AIP_ variables of Vertex AI set the port and the routes.
    """
    from cloudserve import registry

    exit_cleanly_on_sigterm()
    log_to_stderr(log_format)
    if contract == "sagemaker":
        serve_container(context, path, options)
        return
    if contract == "vertex":
        options = vertex_options(context, options)
    recording = take_recording(context, options)
    serve = ServeCommand(**tfserving_options(context, options), recording=recording)
    with _hinting():
        _run(registry.local_server().model_server(path, serve))


@contextmanager
def _hinting() -> Iterator[None]:
    """Give a hint to errors that have the texts of TensorFlow Serving, which are without one."""
    try:
        yield
    except CloudserveError as error:
        error.hint = error.hint or "check PATH and the option that the message is about"
        raise


def _run(server: ModelServer) -> None:
    def announce() -> None:
        grpc = f", gRPC on {server.grpc_address}" if server.grpc_address else ""
        # Also with --quiet: addresses are a server's result.
        click.echo(f"serving {', '.join(server.models)} on {server.address}{grpc}", err=True)
        if server.console_url:
            click.echo(f"console: {server.console_url}", err=True)

    run_model_server(server, announce)
