"""A session of onnxruntime: threads, memory, and the checks before it is made."""

from __future__ import annotations

import importlib
from pathlib import Path, PurePath
from typing import Any

from cloudserve.errors import ModelError
from cloudserve.modelfiles.files import ModelFile
from cloudserve.modelfiles.model import read_content
from cloudserve.modelfiles.names import shown
from cloudserve.modelfiles.onnx import OnnxModel, read_onnx

from ...status import Code
from ..options import SessionOptions
from ..types import LoadError
from .errors import load_error

_FATAL = 4
_CPU = "CPUExecutionProvider"


def describe(file: ModelFile) -> OnnxModel:
    """Read a model's description of itself, and check that its files are there.

    Raises LoadError.
    """
    try:
        model = read_onnx(read_content(file), str(file.path))
    except ModelError as error:
        raise LoadError(
            Code.INVALID_ARGUMENT, error.message, where=error.where, hint=error.hint
        ) from error
    if not model.outputs:
        raise LoadError(
            Code.INVALID_ARGUMENT,
            "the model has no output, so it can answer no request",
            where=str(file.path),
            hint="export the model again with the tensors that it answers",
        )
    for name in model.external_files:
        _check_is_beside(name, file.path)
        if not (file.path.parent / name).is_file():
            raise LoadError(
                Code.NOT_FOUND,
                f"the model's weights are in the file {shown(name)}, which is missing",
                where=str(file.path),
                hint=f"copy it to {file.path.parent}, beside the model",
            )
    return model


def _check_is_beside(name: str, model: Path) -> None:
    """Refuse files of weights outside the model's folder, which onnxruntime 1.22 reads.

    A link may lead to a file beside the one that the model's own link leads to, as in the cache of
    Hugging Face's hub.
    """
    path = PurePath(name)
    real = (model.parent / path).resolve()
    folders = (model.parent.resolve(), model.resolve().parent)
    if path.is_absolute() or ".." in path.parts or not any(map(real.is_relative_to, folders)):
        raise LoadError(
            Code.PERMISSION_DENIED,
            f"the model's weights are in {shown(name)}, outside the model's folder",
            where=str(model),
            hint="save the model again with its weights in a file beside it",
        )


def make_session(path: Path, options: SessionOptions) -> Any:
    """Return a session of the model in a file, on the CPU. Raises LoadError."""
    runtime = _import(path)
    _check_devices(options, path)
    try:
        return runtime.InferenceSession(
            str(path), _session_options(runtime, options), providers=[_CPU]
        )
    # Its exceptions have no common base but Exception.
    except Exception as error:
        raise load_error(error, str(path), runtime.__version__) from error


def _session_options(runtime: Any, options: SessionOptions) -> Any:
    """Map the threads of TensorFlow's sessions, and let memory return to the system.

    The arena keeps what the largest request took, and the memory pattern an entry for each shape of
    the inputs: clients choose both.
    """
    intra, inter = options.threads
    chosen = runtime.SessionOptions()
    chosen.intra_op_num_threads = intra or 1
    if inter > 1:
        chosen.execution_mode = runtime.ExecutionMode.ORT_PARALLEL
        chosen.inter_op_num_threads = inter
    chosen.enable_cpu_mem_arena = False
    chosen.enable_mem_pattern = False
    chosen.log_severity_level = _FATAL
    return chosen


def _check_devices(options: SessionOptions, path: Path) -> None:
    others = [word for word in options.devices if not word.strip().lower().startswith("cpu:")]
    if others:
        raise LoadError(
            Code.FAILED_PRECONDITION,
            f"ONNX models run on the CPU here, and not on {', '.join(others)}",
            where=str(path),
            hint="leave out --devices, or serve the model by itself",
        )


def _import(path: Path) -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise LoadError(
            Code.FAILED_PRECONDITION,
            "an ONNX model needs onnxruntime, which is not installed",
            where=str(path),
            hint="pip install 'cloudserve[onnx]'",
        ) from error
