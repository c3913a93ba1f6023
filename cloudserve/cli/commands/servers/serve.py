"""`cloudserve serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cloudserve.cli.commands.servers.as_sagemaker import serve_container, tfserving_options
from cloudserve.cli.commands.servers.as_vertex import vertex_options
from cloudserve.cli.logs import FORMS, log_to_stderr
from cloudserve.cli.options import deny_ops_option
from cloudserve.cli.server_loop import end_well_on_sigterm, run_model_server
from cloudserve.cli.variables import container_env_option

_PORT = click.IntRange(0, 65535)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


class _Place(click.Path):
    """A directory of this machine, or a bucket's URL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave a bucket's URL as it is; that of a directory is its path."""
        text = str(value)
        if text.startswith("file:///"):
            text = text.removeprefix("file://")
        return text if "://" in text else Path(str(super().convert(text, param, ctx)))


@click.command("serve")
@click.argument("path", type=_Place(exists=True, file_okay=False))
@click.option(
    "--as",
    "face",
    type=click.Choice(["tfserving", "sagemaker", "vertex"]),
    default="tfserving",
    show_default=True,
    help="Serve as TensorFlow Serving, as SageMaker's TensorFlow container, or as a container on "
    "Vertex AI (both on port 8080).",
)
@click.option("--name", help="The model's name in URLs; the directory's by default.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=_PORT,
    default=8501,
    show_default=True,
    envvar="CLOUDSERVE_PORT",
    show_envvar=True,
    help="The REST port; 0 picks a free one.",
)
@click.option(
    "--grpc-port",
    type=_PORT,
    default=8500,
    show_default=True,
    envvar="CLOUDSERVE_GRPC_PORT",
    show_envvar=True,
    help="The gRPC port; 0 picks a free one.",
)
@click.option("--no-grpc", is_flag=True, help="Serve REST alone.")
@click.option("--batching", is_flag=True, help="Put requests that wait together in one batch.")
@click.option("--batching-parameters", type=_FILE, help="How, as a BatchingParameters text proto.")
@click.option(
    "--devices",
    default="",
    metavar="DEVICES",
    help="Replicas of each model: cpu:N, gpu:N, gpu:all or all, with commas between them. "
    "By default one, on the first GPU if there is one.",
)
@click.option(
    "--custom-op-libraries",
    default="",
    metavar="FILES",
    help="Shared libraries of custom ops, with commas between them; those of "
    "CLOUDSERVE_OP_LIBRARIES by default.",
)
@click.option("--pretty-json", is_flag=True, help="Lay answers out as TensorFlow Serving does.")
@click.option(
    "--auth-token-file",
    type=_FILE,
    help="Answer only requests that show a bearer token of this file: one a line, # for comments.",
)
@click.option(
    "--ssl-config-file",
    type=_FILE,
    help="Certificates for REST and gRPC, as an SSLConfig text proto.",
)
@click.option(
    "--request-log",
    type=click.Path(path_type=Path, file_okay=False),
    help="Log requests and answers in this folder: PredictionLog files that may warm versions up.",
)
@click.option(
    "--request-log-rate",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Which part of the requests is logged.",
)
@click.option("--image", help="With --as sagemaker: the image's URI or version, for its behaviour.")
@click.option(
    "--install-requirements",
    is_flag=True,
    help="With --as sagemaker: install code/requirements.txt, into a folder of its own.",
)
@deny_ops_option("none")
@container_env_option("With --as sagemaker: ")
@click.option(
    "--drain-seconds",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="How long requests may take to end when the server is stopped.",
)
@click.option(
    "--log-format", type=click.Choice(FORMS), default=FORMS[0], show_default=True,
    help="How the log is written on standard error.",
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context, /, *, path: Path | str, face: str, log_format: str, **options: Any
) -> None:
    """Serve models with TensorFlow Serving's REST and gRPC APIs.

    PATH is a SavedModel directory, a model's base path of NUMBER/ ones, or a folder of base paths;
    or one of the first two in a bucket: gs://BUCKET/PATH, s3://BUCKET/PATH.
    The highest version of each model is served, and a higher one that comes later takes its place.
    With --as sagemaker it is a model tree as in model.tar.gz, or a model's directory as `deploy`
    takes it, `code/inference.py` included, and SAGEMAKER_ variables count as in the container.
    With --as vertex the routes and the port are those that Vertex AI sets in AIP_ variables.
    """
    from cloudserve import registry

    end_well_on_sigterm()
    log_to_stderr(log_format)
    if face == "sagemaker":
        serve_container(context, path, options)
        return
    if face == "vertex":
        options = vertex_options(context, options)
    resolved = registry.server("serve-options")(path, **tfserving_options(context, options))
    server = registry.server("model-server")(resolved)

    def announce() -> None:
        grpc = f", gRPC on {server.grpc_address}" if server.grpc_address else ""
        click.echo(f"serving {', '.join(server.models)} on {server.address}{grpc}", err=True)

    run_model_server(server, announce)
