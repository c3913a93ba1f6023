"""Validation of a model's container: each check raises ApiError INVALID_ARGUMENT.

Source: aiplatform v1, the field descriptions of ModelContainerSpec, EnvVar, Port and Probe; "Custom
container requirements" for routes, which are paths. The texts are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...status import Code
from ..google.common.discovery import snake
from ..google.common.errors import ApiError
from .images import is_optimized, is_prebuilt
from .records import invalid
from .validation import seconds_of

_C_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_VARIABLES, _LONGEST_VARIABLE, _MOST_BYTES = 200, 128 * 1024, 512 * 1024
_PORTS = range(1, 65536)
_LONGEST_DEPLOYMENT = 7200.0
_EVERYTHING = "/*"
_OF_OWN_IMAGES = (
    "command",
    "ports",
    "grpcPorts",
    "predictRoute",
    "healthRoute",
    "invokeRoutePrefix",
)
_LEAST = {
    "failureThreshold": 1,
    "initialDelaySeconds": 0,
    "periodSeconds": 1,
    "successThreshold": 1,
    "timeoutSeconds": 1,
}
"""Minimum values of a Probe's fields; in proto3 0 is a field that is not set, with its default."""


def check_container(spec: Mapping[str, Any]) -> None:
    """Refuse variables, ports, routes, times and probes that a container cannot have."""
    _check_variables(spec.get("env", ()))
    for field in ("ports", "grpcPorts"):
        for port in spec.get(field, ()):
            if port.get("containerPort", 0) not in _PORTS:
                raise invalid(f"A port of `container_spec.{field}` is not between 1 and 65535.")
    _check_routes(spec)
    if spec.get("sharedMemorySizeMb", "0").startswith("-"):
        raise invalid("`container_spec.shared_memory_size_mb` must not be negative.")
    if seconds_of(spec.get("deploymentTimeout", "0s"), "deployment_timeout") > _LONGEST_DEPLOYMENT:
        raise invalid("`container_spec.deployment_timeout` is limited to 2 hours.")
    for field in ("startupProbe", "healthProbe", "livenessProbe"):
        for name, least in _LEAST.items():
            if (spec.get(field, {}).get(name) or least) < least:
                raise invalid(f"`container_spec.{field}.{name}` must be at least {least}.")


def check_prebuilt(spec: Mapping[str, Any]) -> None:
    """Refuse a command, ports or routes of a prebuilt image, which has its own (UNIMPLEMENTED).

    The container would start otherwise, or listen elsewhere than Vertex AI asks; what the service
    says, and when, has no source. Only the optimized TensorFlow runtime has documented `args`.
    """
    image = spec.get("imageUri", "")
    fixed = (*_OF_OWN_IMAGES, "args") if not is_optimized(image) else _OF_OWN_IMAGES
    for field in fixed if is_prebuilt(image) else ():
        if spec.get(field):
            text = f"container_spec.{snake(field)} of a prebuilt image is not available offline."
            raise ApiError(Code.UNIMPLEMENTED, text)


def _check_variables(variables: list[Mapping[str, str]]) -> None:
    if len(variables) > _MOST_VARIABLES:
        raise invalid(f"`container_spec.env` has over {_MOST_VARIABLES} environment variables.")
    sizes = []
    for variable in variables:
        name = variable.get("name", "")
        if not _C_IDENTIFIER.fullmatch(name):
            raise invalid(f'The environment variable "{name}" is not a valid C identifier.')
        sizes.append(len(f"{name}={variable.get('value', '')}".encode()))
        if sizes[-1] >= _LONGEST_VARIABLE:
            raise invalid(f'The environment variable "{name}" has {sizes[-1]} bytes, over 128 KiB.')
    if sum(sizes) > _MOST_BYTES:
        raise invalid("The environment variables together have over 512 KiB.")


def _check_routes(spec: Mapping[str, Any]) -> None:
    prefix = spec.get("invokeRoutePrefix", "")
    if prefix and spec.get("predictRoute"):
        raise invalid("Only one of `predict_route` and `invoke_route_prefix` may be set.")
    if prefix not in {"", _EVERYTHING}:
        raise invalid(f'"{prefix}" is not valid for `invoke_route_prefix`: "{_EVERYTHING}".')
    for field in ("predictRoute", "healthRoute"):
        route = spec.get(field, "")
        if route and not route.startswith("/"):
            raise invalid(f'"{route}" is not valid for `{field}`: a path, with a slash first.')
