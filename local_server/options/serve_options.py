"""Options of `cloudserve serve PATH`, from a path on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.savedmodel.versions import is_saved_model, list_versions, resolve

from ..config import ModelConfig, ModelServerConfig
from ..monitoring.log_options import RequestLogOptions
from ..monitoring.monitoring_config import DEFAULT_PATH
from ..protocols.vertex.container import ContainerRoutes
from ..runtime.denied_ops import read_denied_ops
from ..runtime.options import SessionOptions, library_paths
from .server_options import (
    Address,
    BatchingOptions,
    GrpcOptions,
    GrpcTransport,
    RestOptions,
    ServerOptions,
    Startup,
)

_POLL_SECONDS = 1.0


def serve_options(  # noqa: PLR0913  a keyword for each option of the command
    path: Path | str,
    *,
    name: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    grpc_port: int | None = None,
    grpc_transport: str = GrpcTransport.GRPCIO.value,
    batching: bool = False,
    batching_parameters: Path | None = None,
    devices: str = "",
    deny_ops: str = "none",
    custom_op_libraries: str = "",
    drain_seconds: float = 10.0,
    pretty_json: bool = False,
    auth_token_file: Path | None = None,
    ssl_config_file: Path | None = None,
    request_log: Path | None = None,
    request_log_rate: float = 1.0,
    container_routes: tuple[str, str] | None = None,
) -> ServerOptions:
    """Return the options of `cloudserve serve PATH`: lenient, and on one address.

    A path in a bucket (`gs://`, `s3://`) is one model. `container_routes` are the prediction and
    health routes of a container on Vertex AI, whose model never changes. Raises ModelError if
    there is no model, UserError for one name of several models or several models in a container,
    StatusError for an invalid device.
    """
    models = find_models(path, name) if isinstance(path, Path) else {name or _last(path): path}
    container = _container(models, container_routes) if container_routes else None
    return ServerOptions(
        config=ModelServerConfig(tuple(ModelConfig(n, str(p)) for n, p in models.items())),
        rest=RestOptions(
            Address(host, port),
            ssl_config_file=ssl_config_file,
            pretty=pretty_json,
            container=container,
        ),
        grpc=None
        if grpc_port is None
        else GrpcOptions(
            Address(host, grpc_port),
            ssl_config_file=ssl_config_file,
            health=True,
            transport=GrpcTransport(grpc_transport),
        ),
        startup=Startup.SOME,
        poll_seconds=0.0 if container else _POLL_SECONDS,
        batching=BatchingOptions(batching_parameters) if batching else None,
        session=SessionOptions(
            devices=tuple(devices.split(",")) if devices else (),
            denied_ops=read_denied_ops(deny_ops),
            op_libraries=library_paths(custom_op_libraries),
        ),
        metrics_path=DEFAULT_PATH,
        request_log=RequestLogOptions(request_log, request_log_rate),
        auth_token_file=auth_token_file,
        drain_seconds=drain_seconds,
    )


def _container(models: Mapping[str, Path | str], routes: tuple[str, str]) -> ContainerRoutes:
    if len(models) > 1:
        raise UserError(
            f"a container on Vertex AI serves one model, not {', '.join(models)}",
            hint="give the directory of one of them",
        )
    (name,) = models
    return ContainerRoutes(name, *routes)


def _last(url: str) -> str:
    """Return a model's name: the last part of its prefix; for a version, the part above."""
    words = url.rstrip("/").partition("://")[2].split("/")
    return words[-2] if words[-1].isdecimal() and len(words) > 1 else words[-1]


def find_models(path: Path, name: str | None = None) -> Mapping[str, Path]:
    """Return the models below a path by name, sorted.

    The path is a SavedModel, a base path of NUMBER/ folders, or a folder of base paths. A single
    model is called `name`, else after its directory. Raises ModelError if there is no model,
    UserError for one name of several models.
    """
    path = path.resolve()
    if _is_model(path):
        return {name or _own_name(path): path}
    entries = sorted(path.iterdir()) if path.is_dir() else []
    models = {entry.name: entry for entry in entries if _is_model(entry)}
    if not models:
        resolve(path)  # raises an error that describes the path
    if name is None:
        return models
    if len(models) > 1:
        raise UserError(
            f"one name is given and {path} holds {len(models)} models",
            hint=f"leave the name out, or give one of {', '.join(models)}",
        )
    return dict(zip([name], models.values(), strict=True))


def _is_model(path: Path) -> bool:
    return is_saved_model(path) or bool(list_versions(path))


def _own_name(path: Path) -> str:
    """Return a model's name: its directory's; for a version's directory, the one above."""
    return path.parent.name if path.name.isdecimal() else path.name
