"""Options of `cloudserve serve --as vertex`, from the container's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

_PORT = 8080


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
    text = os.environ.get("AIP_HTTP_PORT") or str(_PORT)
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
