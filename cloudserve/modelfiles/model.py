"""What a model of one file says of itself, in the terms of a SavedModel."""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.errors import ModelError
from cloudserve.modelfiles import onnx, tflite
from cloudserve.modelfiles.files import ModelFile
from cloudserve.modelfiles.kinds import Kind
from cloudserve.savedmodel.files import UNREADABLE
from cloudserve.savedmodel.signature import Signature

COPY_AGAIN = "copy or export the model again"
_GIT_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class FileModel:
    """The signatures and ops of a model of one file."""

    file: ModelFile
    signatures: tuple[Signature, ...]
    ops: tuple[str, ...]
    """The distinct ops, sorted; ONNX operators of other domains with the domain before a dot."""
    size: int
    details: tuple[tuple[str, str], ...] = ()
    """Facts of the format by name, such as the opset."""


def read_model_file(file: ModelFile) -> FileModel:
    """Read a model file. Raises ModelError if it is damaged, or has no signature to serve."""
    data = read_content(file)
    if file.kind is Kind.TFLITE:
        lite = tflite.read_tflite(data, str(file.path))
        signatures = tuple(call.signature for call in lite.own_calls())
        return FileModel(file, signatures, lite.ops, len(data))
    model = onnx.read_onnx(data, str(file.path))
    return FileModel(file, (model.signature(),), model.ops, len(data), model.details)


def read_content(file: ModelFile) -> bytes:
    """Return the bytes of a model file. Raises ModelError if there are none, or a pointer."""
    where, name = str(file.path.parent), file.path.name
    try:
        data = file.path.read_bytes()
    except OSError as error:
        text = f"{name} cannot be read: {error.strerror}"
        raise ModelError(text, where=where, hint=UNREADABLE) from error
    if not data:
        raise ModelError(f"{name} is empty", where=where, hint=COPY_AGAIN)
    if data.startswith(_GIT_LFS_POINTER):
        raise ModelError(
            f"{name} is a Git LFS pointer, not the model",
            where=where,
            hint="fetch the content: git lfs pull",
        )
    return data
