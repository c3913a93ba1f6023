"""Options of `cloudserve serve --as sagemaker`, and of `--as vertex` from its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cloudserve.cli.recording import take_recording
from cloudserve.cli.servers.loop import run_models_until_stopped
from cloudserve.local.servers import ContainerCommand

_PORT = 8080
"""The container's default port (SAGEMAKER_BIND_TO_PORT)."""
_TFSERVING_ONLY = (
    *("name", "grpc_port", "grpc_transport", "no_grpc", "devices", "pretty_json"),
    *("batching", "batching_parameters"),
    "custom_op_libraries",
    *("auth_token_file", "ssl_config_file", "request_log", "request_log_rate", "otel"),
)
_SAGEMAKER_ONLY = ("image", "install_requirements", "container_env")


def serve_container(context: click.Context, path: Path | str, options: dict[str, Any]) -> None:
    """Serve a model tree like SageMaker's TensorFlow container.

    Raises click.UsageError for options that only apply to TensorFlow Serving.
    """
    from cloudserve import registry

    refuse(context, _TFSERVING_ONLY, "cannot be used with --as sagemaker")
    if isinstance(path, str):
        raise click.UsageError(f"{path} is in a bucket; --as sagemaker serves a directory", context)
    environment = {name: value for name, value in os.environ.items() if _is_container_setting(name)}
    environment |= options["container_env"]
    is_set = context.get_parameter_source("port") is not ParameterSource.DEFAULT
    port = options["port"] if is_set else int(environment.get("SAGEMAKER_BIND_TO_PORT", _PORT))
    command = ContainerCommand(
        host=options["host"],
        port=port,
        image=options["image"] or "",
        environment=environment,
        install_requirements=options["install_requirements"],
        deny_ops=options["deny_ops"],
        drain_seconds=options["drain_seconds"],
        recording=take_recording(context, options),
    )
    local_server = registry.local_server()
    server = local_server.container_server(path, command)

    def announce() -> None:
        click.echo(f"serving {path} as a SageMaker container on {server.address}", err=True)

    local_server.run(run_models_until_stopped(server, announce))


def tfserving_options(context: click.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model server's options; raises click.UsageError for those of SageMaker."""
    refuse(context, _SAGEMAKER_ONLY, "requires --as sagemaker")
    selected = {name: value for name, value in options.items() if name not in _SAGEMAKER_ONLY}
    no_grpc = selected.pop("no_grpc")
    return selected | {"grpc_port": None if no_grpc else selected["grpc_port"]}


def refuse(context: click.Context, names: tuple[str, ...], why: str) -> None:
    """Raise click.UsageError for the first of these options that is set."""
    for name in names:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} {why}", context)


def _is_container_setting(name: str) -> bool:
    return name.startswith("SAGEMAKER_") or name == "OMP_NUM_THREADS"


_VERTEX_PORT = 8080


def vertex_options(context: click.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, completed by AIP_HTTP_PORT, AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE.

    An option takes precedence over its variable. gRPC is served only if its port is set.
    Raises click.UsageError for an invalid port or route.
    """
    routes = (
        _route(context, "AIP_PREDICT_ROUTE", "/predict"),
        _route(context, "AIP_HEALTH_ROUTE", "/health"),
    )
    port = options["port"] if _is_set(context, "port") else _port(context)
    no_grpc = options["no_grpc"] or not _is_set(context, "grpc_port")
    return {
        **options,
        "port": port,
        "no_grpc": no_grpc,
        "container_routes": routes,
    }


def _is_set(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _port(context: click.Context) -> int:
    text = os.environ.get("AIP_HTTP_PORT") or str(_VERTEX_PORT)
    if not text.isdecimal() or int(text) not in range(2**16):
        raise click.UsageError(
            f"the variable AIP_HTTP_PORT is not a port number: `{text}`", context
        )
    return int(text)


def _route(context: click.Context, variable: str, default: str) -> str:
    route = os.environ.get(variable) or default
    if not route.startswith("/"):
        problem = f"the variable {variable} does not begin with /: `{route}`"
        raise click.UsageError(problem, context)
    return route
