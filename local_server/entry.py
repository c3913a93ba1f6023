"""The entry functions of the local server (`cloudserve.local.servers.LocalServer`).

Each imports its part when it is called: a model server loads nothing of the clouds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cloudserve.local.servers import ContainerCommand, EmulateCommand, ServeCommand
from cloudserve.modelfiles.kinds import has_files_only, is_model_file
from cloudserve.registry import needs_extra

from .runtime.capi.library import open_in_background
from .transport.loop import run

if TYPE_CHECKING:
    from cloudserve.bench import Load, Result, Settings, TuneSettings, Tuning
    from cloudserve.local.model_export import ExportReport, ExportRequest
    from cloudserve.local.model_repair import RepairReport, RepairRequest
    from cloudserve.local.model_run import RunRequest, RunResult

    from .clouds.emulator import Emulator
    from .container.server import ContainerServer
    from .options.flags import FlagValues
    from .runtime.types import LoadedModel
    from .server import ModelServer

__all__ = [
    "bench",
    "container_server",
    "emulator",
    "export",
    "flagged_server",
    "model_server",
    "open_model",
    "parse_flags",
    "repair",
    "run",
    "run_once",
    "tune",
    "usage",
    "warmup_file",
]


_LINKED = (
    "cloudserve.local_server.runtime.capi.session",
    "concurrent.futures.thread",
    "decimal",
    "google.protobuf.descriptor_pool",
    "google_crc32c",
    "httptools",
    "ml_dtypes",
    "msgspec",
    "numpy",
    "orjson",
    "pickle",
    "simdjson",
    "uvloop",
)
"""Modules of a model server that are compiled, or look up symbols when they are imported."""


def _open_tensorflow() -> None:
    """Begin to open TensorFlow's library, which takes as long as the imports of a server.

    The system's linker does one thing at a time. It has its part in the imports first, so that
    those that are left run in the meantime.
    """
    for name in _LINKED:
        with suppress(ImportError):  # the module that needs it reports that it is missing
            import_module(name)
    open_in_background()


@needs_extra("the model server", "server")
def model_server(path: Path | str, command: ServeCommand) -> ModelServer:
    """Create a server of the models below a path or in a bucket."""
    if not (isinstance(path, Path) and has_files_only(path)):
        _open_tensorflow()
    from .options.serve_options import serve_options
    from .server import ModelServer

    return ModelServer(serve_options(path, command))


@needs_extra("a model in process", "server")
def open_model(path: Path) -> LoadedModel:
    """Load a SavedModel directory, or a model file, into this process."""
    if not is_model_file(path):
        _open_tensorflow()
    from .runtime.model_files import load_any

    return load_any(path)


@needs_extra("the model server", "server")
def parse_flags(arguments: Sequence[str]) -> FlagValues:
    """Parse the flags of tensorflow_model_server."""
    from .options import flags

    return flags.parse_flags(arguments)


@needs_extra("the model server", "server")
def usage(program: str) -> str:
    """Return the help text of the flags."""
    from .options import flags

    return flags.usage(program)


@needs_extra("the model server", "server")
def flagged_server(arguments: Sequence[str]) -> ModelServer:
    """Create a server from the flags of tensorflow_model_server."""
    _open_tensorflow()
    from .options.flag_options import flag_options
    from .server import ModelServer

    return ModelServer(flag_options(parse_flags(arguments)))


@needs_extra("writing a warm-up file", "server")
def warmup_file(requests: Iterable[tuple[str, bytes, str]], folder: Path) -> bytes:
    """Return the warm-up file of JSON requests."""
    from .warmup.recorded import warmup_file

    return warmup_file(requests, folder)


@needs_extra("the SageMaker container", "server")
def container_server(tree: Path, command: ContainerCommand) -> ContainerServer:
    """Create a server that imitates SageMaker's TensorFlow container."""
    _open_tensorflow()
    from .container.server import ContainerServer

    return ContainerServer(tree, command)


@needs_extra("running a model", "server")
def run_once(folder: Path, request: RunRequest) -> RunResult:
    """Run a model once."""
    if not is_model_file(folder):
        open_in_background()
    from .run.run import run_model

    return run_model(folder, request)


@needs_extra("the export", "server")
def export(source: object, base: Path, request: ExportRequest) -> ExportReport:
    """Export a model, or that of a file or a function, as a version."""
    from .export.export import export_model, export_source

    if isinstance(source, str | Path):
        return export_source(str(source), base, request)
    return export_model(source, base, request)


@needs_extra("repairing a model", "server")
def repair(source: Path, target: Path, request: RepairRequest) -> RepairReport:
    """Write a repaired copy of a model."""
    open_in_background()
    from .repair.repair import repair_model

    return repair_model(source, target, request)


@needs_extra("the load generator", "server")
def bench(subject: str, load: Load, settings: Settings) -> Result:
    """Measure a server under load."""
    from .load.bench import bench

    return bench(subject, load, settings)


@needs_extra("the load generator", "server")
def tune(path: Path, settings: TuneSettings, progress: Callable[[str], None]) -> Tuning:
    """Choose batching parameters."""
    from .load.tune import tune

    return tune(path, settings, progress)


@needs_extra("the emulator", "all")
def emulator(command: EmulateCommand) -> Emulator:
    """Create the offline clouds."""
    from .clouds.emulator import Emulator

    return Emulator(command)
