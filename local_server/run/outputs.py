"""Outputs of a run: as text, and as `.npy` files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from cloudserve.client.payloads.arrays import storable
from cloudserve.errors import UserError
from cloudserve.files import replace_atomically
from cloudserve.local.model_run import Output

from ..runtime.types import Tensor


def describe(outputs: Mapping[str, Tensor]) -> tuple[Output, ...]:
    """Return the outputs as text."""
    return tuple(Output(alias, _type(array), _text(array)) for alias, array in outputs.items())


def save(outputs: Mapping[str, Tensor], folder: Path) -> tuple[Path, ...]:
    """Write each output to `ALIAS.npy` atomically, over an existing file."""
    paths = output_paths(outputs, folder)
    contents = [_npy(alias, array) for alias, array in outputs.items()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, contents, strict=True):
            replace_atomically(path, content)
    except OSError as error:
        raise UserError(
            f"the outputs cannot be written: {error.strerror}",
            where=str(folder),
            hint="give another --outdir",
        ) from error
    return paths


def output_paths(aliases: Iterable[str], folder: Path) -> tuple[Path, ...]:
    """Return the files of outputs; a slash in a name does not leave the folder."""
    return tuple(folder / f"{alias.replace('/', '_')}.npy" for alias in aliases)


def check_absent(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Raise UserError for two outputs of one file, and for a file that may not be overwritten."""
    paths = tuple(paths)
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise UserError(
            "two outputs would have the same file",
            where=str(twice[0]),
            hint="print them with -o json",
        )
    existing = [] if overwrite else [path for path in paths if path.exists()]
    if existing:
        raise UserError("the file exists", where=str(existing[0]), hint="add --overwrite")


def _npy(alias: str, array: Tensor) -> bytes:
    file = io.BytesIO()
    np.save(file, storable(alias, array), allow_pickle=False)
    return file.getvalue()


def _type(array: Tensor) -> str:
    name = "string" if array.dtype == object else array.dtype.name
    return f"{name}[{','.join(map(str, array.shape))}]"


def _text(array: Tensor) -> str:
    return np.array2string(array, separator=", ", threshold=100, edgeitems=3)
