"""`cloudserve serve --as sagemaker`: the options that count there, and those that do not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cloudserve.cli.server_loop import run_until_stopped

_PORT = 8080
"""The container's own (SAGEMAKER_BIND_TO_PORT)."""
_FOREIGN = (
    *("name", "grpc_port", "no_grpc", "batching", "batching_parameters", "devices", "pretty_json"),
    "custom_op_libraries",
    *("auth_token_file", "ssl_config_file", "request_log", "request_log_rate"),
)
_OWN = ("image", "install_requirements", "container_env")


def serve_container(context: click.Context, path: Path | str, options: Mapping[str, Any]) -> None:
    """Serve a model tree as SageMaker's TensorFlow container does.

    Raises click.UsageError for options of TensorFlow Serving.
    """
    from cloudserve import registry

    refuse(context, _FOREIGN, "counts without --as sagemaker alone")
    if isinstance(path, str):
        raise click.UsageError(f"{path} is in a bucket; --as sagemaker serves a directory", context)
    environment = {name: value for name, value in os.environ.items() if _is_own(name)}
    environment |= options["container_env"]
    is_chosen = context.get_parameter_source("port") is not ParameterSource.DEFAULT
    port = options["port"] if is_chosen else int(environment.get("SAGEMAKER_BIND_TO_PORT", _PORT))
    server = registry.server("sagemaker-container")(
        path,
        host=options["host"],
        port=port,
        image=options["image"] or "",
        environment=environment,
        install_requirements=options["install_requirements"],
        deny_ops=options["deny_ops"],
        drain_seconds=options["drain_seconds"],
    )

    def announce() -> None:
        click.echo(f"serving {path} as a SageMaker container on {server.address}", err=True)

    registry.server("run")(run_until_stopped(server, announce))


def tfserving_options(context: click.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that count without `--as sagemaker`; raises click.UsageError."""
    refuse(context, _OWN, "counts with --as sagemaker alone")
    counting = {name: value for name, value in options.items() if name not in _OWN}
    no_grpc = counting.pop("no_grpc")
    return counting | {"grpc_port": None if no_grpc else counting["grpc_port"]}


def refuse(context: click.Context, names: tuple[str, ...], why: str) -> None:
    """Raise click.UsageError for the first of these options that was given."""
    for name in names:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} {why}", context)


def _is_own(name: str) -> bool:
    return name.startswith("SAGEMAKER_") or name == "OMP_NUM_THREADS"
