"""Options of `cloudserve serve PATH`, from a path on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.golden.recording import Recording
from cloudserve.local.servers import ServeCommand
from cloudserve.modelfiles.kinds import SUFFIXES, has_usual_file, is_model_file
from cloudserve.savedmodel.versions import is_saved_model, list_versions, resolve

from ..config import ModelConfig, ModelServerConfig
from ..monitoring.log_options import RequestLogOptions
from ..monitoring.monitoring_config import DEFAULT_PATH
from ..protocols.vertex.container import ContainerRoutes
from ..runtime.loading.denied_ops import read_denied_ops
from ..runtime.options import FileOptions, FileRule, SessionOptions, library_paths
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


def serve_options(path: Path | str, command: ServeCommand) -> ServerOptions:
    """Return the options of `cloudserve serve PATH`: lenient, and on one address.

    TensorFlow Lite and ONNX models are served, except in a container, whose image has neither
    library. A path in a bucket (`gs://`, `s3://`) is one model. Batching is by measured costs, or
    by TensorFlow Serving's rules if there are parameters. Raises ModelError if there is no model,
    UserError for one name or golden file of several models, several models in a container, and
    parameters without batching, StatusError for an invalid device.
    """
    name, routes = command.name, command.container_routes
    models = find_models(path, name) if isinstance(path, Path) else {name or _last(path): path}
    container = _container(models, routes) if routes else None
    return ServerOptions(
        config=ModelServerConfig(tuple(ModelConfig(n, str(p)) for n, p in models.items())),
        rest=RestOptions(
            Address(command.host, command.port),
            ssl_config_file=command.ssl_config_file,
            pretty=command.pretty_json,
            container=container,
            openapi=container is None,
            console=command.console and container is None,
        ),
        grpc=_grpc(command, command.grpc_port) if command.grpc_port is not None else None,
        startup=Startup.SOME,
        poll_seconds=0.0 if container else _POLL_SECONDS,
        batching=_batching(command.batching_parameters, is_on=command.batching),
        session=SessionOptions(
            devices=tuple(command.devices.split(",")) if command.devices else (),
            denied_ops=read_denied_ops(command.deny_ops),
            op_libraries=library_paths(command.custom_op_libraries),
        ),
        files=FileOptions(FileRule.NEVER if container else FileRule.WITHOUT_SAVED_MODEL),
        metrics_path=DEFAULT_PATH,
        request_log=RequestLogOptions(command.request_log, command.request_log_rate),
        recording=_recording(command.recording, models),
        otel=command.otel,
        auth_token_file=command.auth_token_file,
        drain_seconds=command.drain_seconds,
    )


def _grpc(command: ServeCommand, port: int) -> GrpcOptions:
    return GrpcOptions(
        Address(command.host, port),
        ssl_config_file=command.ssl_config_file,
        health=True,
        transport=GrpcTransport(command.grpc_transport),
    )


def _batching(parameters: Path | None, *, is_on: bool) -> BatchingOptions | None:
    if parameters is None:
        return BatchingOptions(by_costs=True) if is_on else None
    if not is_on:
        raise UserError(
            "batching parameters are given, and batching is turned off",
            where=str(parameters),
            hint="leave out --no-batching or --batching-parameters",
        )
    return BatchingOptions(parameters)


def _recording(recording: Recording | None, models: Mapping[str, Path | str]) -> Recording | None:
    if recording and not recording.is_folder and len(models) > 1:
        raise UserError(
            f"a golden file has requests to one model, and there are {len(models)}",
            where=str(recording.path),
            hint=f"give a folder, which has a file for each: --record {recording.path}/",
        )
    return recording


def _container(models: Mapping[str, Path | str], routes: tuple[str, str]) -> ContainerRoutes:
    if len(models) > 1:
        raise UserError(
            f"a container on Vertex AI serves one model, not {', '.join(models)}",
            hint="give the directory of one of them",
        )
    ((name, path),) = models.items()
    if _is_file(path):
        raise UserError(
            "a container on Vertex AI serves a SavedModel, not a TensorFlow Lite or ONNX file",
            where=str(path),
            hint="export the model as a SavedModel, or serve it without --as vertex",
        )
    return ContainerRoutes(name, *routes)


def _is_file(path: Path | str) -> bool:
    if isinstance(path, Path):
        return is_model_file(path) or has_usual_file(path)
    _, slash, key = path.rstrip("/").partition("://")[2].partition("/")
    return bool(slash) and key.lower().endswith(SUFFIXES)  # a bucket may be called so, too


def _last(url: str) -> str:
    """Return a model's name: the last part of its prefix; for a version, the part above.

    A file has its own name, unless it is the usual one, as on disk.
    """
    words = url.rstrip("/").partition("://")[2].split("/")
    stem, dot, suffix = words[-1].rpartition(".")
    if f"{dot}{suffix}".lower() in SUFFIXES and len(words) > 1:  # a bucket may be called so, too
        if stem != "model":
            return stem
        del words[-1]
    return words[-2] if words[-1].isdecimal() and len(words) > 1 else words[-1]


def find_models(path: Path, name: str | None = None) -> Mapping[str, Path]:
    """Return the models below a path by name, sorted.

    The path is a SavedModel, a TensorFlow Lite or ONNX file, a folder of `model.tflite` or
    `model.onnx`, a base path of NUMBER/ folders, or a folder of these. A single model is called
    `name`, else after its directory or file. Raises ModelError if there is no
    model, UserError for one name of several models.
    """
    # A file has the name of the link to it: the caches of model hubs link to files without suffix.
    path = path.parent.resolve() / path.name if is_model_file(path) else path.resolve()
    if _is_model(path):
        return {name or _own_name(path): path}
    entries = sorted(path.iterdir()) if path.is_dir() else []
    models = _by_name(entry for entry in entries if _is_model(entry))
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


def _by_name(paths: Iterable[Path]) -> dict[str, Path]:
    models: dict[str, Path] = {}
    for path in paths:
        name = path.stem if is_model_file(path) else path.name
        if name in models:
            raise UserError(
                f"{models[name].name} and {path.name} would both be the model {name}",
                where=str(path.parent),
                hint="rename one of them",
            )
        models[name] = path
    return models


def _is_model(path: Path) -> bool:
    is_file_model = is_model_file(path) or has_usual_file(path)
    return is_file_model or is_saved_model(path) or bool(list_versions(path))


def _own_name(path: Path) -> str:
    """Return a model's name: its directory's; for a version's directory, the one above.

    A file has its own name, unless it is the usual one: `model.onnx` is called as its directory.
    """
    if is_model_file(path) and path.stem != "model":
        return path.stem
    folder = path.parent if is_model_file(path) else path
    return folder.parent.name if folder.name.isdecimal() else folder.name
