"""Values of inputs from files: images, arrays of numpy, features of tf.Examples."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from cloudserve.client.payloads.arrays import STRING, described
from cloudserve.client.payloads.examples import example
from cloudserve.client.payloads.payload import is_open
from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.registry import needs_extra
from cloudserve.savedmodel.signature import Signature, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_WITH_CHANNELS = 3


def read_image(file: Path, spec: TensorSpec, scale: float = 1.0) -> Any:
    """Return an image as one row of an input.

    A string input gets the file's bytes, for models that decode images themselves. An input of
    shape [?,HEIGHT,WIDTH] or [?,HEIGHT,WIDTH,CHANNELS] gets the pixels from 0 to 255, resized,
    divided by `scale`. Raises UserError for another input or a file that is not an image.
    """
    data = _read(file)
    if spec.dtype == STRING:
        return data
    inner = (spec.shape or ())[1:]
    if not is_open(spec) or len(inner) not in {2, _WITH_CHANNELS} or inner[2:] not in _channels():
        raise UserError(
            f"`{spec.alias}` takes {described(spec)}, which is not the shape of images",
            where=str(file),
            hint="give the values by --npy FILE",
        )
    return _pixels(file, data, inner, scale)


def _channels() -> set[tuple[int | None, ...]]:
    return {(), *((number,) for number in _MODES)}


@needs_extra("reading images", "client")
def _pixels(file: Path, data: bytes, inner: tuple[int | None, ...], scale: float) -> NDArray[Any]:
    import io

    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as opened:
            image = opened.convert(_MODES[inner[2] or 1] if len(inner) == _WITH_CHANNELS else "L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            "the file is not an image that can be read",
            where=str(file),
            hint="give a PNG or JPEG file, or the values by --npy FILE",
        ) from error
    height, width = inner[0] or image.height, inner[1] or image.width
    if image.size != (width, height):
        image = image.resize((width, height))
    shape = (height, width, *(each or 1 for each in inner[2:]))
    pixels = np.asarray(image).reshape(shape)
    return pixels if scale == 1.0 else pixels / np.float32(scale)


@needs_extra("reading arrays", "client")
def read_arrays(file: Path, key: str | None = None) -> Any:
    """Return the array of an .npy file, or the arrays of an .npz file by name.

    With a `key` it is one array: the one of this name, or for "" the only one. Files with Python
    objects are refused: loading them runs code. Raises UserError.
    """
    import numpy as np

    try:
        with file.open("rb") as opened:  # numpy does not close a damaged file that it opened
            loaded = np.load(opened, allow_pickle=False)
            if not isinstance(loaded, Mapping):
                return loaded
            if key is not None:
                return loaded[_chosen(file, key, list(loaded))]
            return {name: loaded[name] for name in loaded}
    except OSError as error:
        raise _missing(file, error) from error
    except (*_DAMAGED, BadZipFile, zlib.error) as error:
        raise UserError(
            f"the file is not an array of numpy: {_short(error)}",
            where=str(file),
            hint="write it by numpy.save or numpy.savez, without Python objects",
        ) from error


_DAMAGED = (EOFError, MemoryError, RuntimeError, SyntaxError, ValueError)
"""Errors of numpy and zipfile for damaged headers; MemoryError is one of an impossible shape."""


def _chosen(file: Path, key: str, names: list[str]) -> str:
    if key in names or (not key and len(names) == 1):
        return key or names[0]
    text = f"it has no array {key}" if key else f"it has {len(names)} arrays"
    raise UserError(text, where=str(file), hint=f"write {file}[NAME]: {choose_from(names)}")


def read_example(text: str) -> bytes:
    """Return the tf.Example of a JSON object of features; raises UserError."""
    try:
        features = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the features are not JSON: {error}", hint='give an object: {"age": 3.5}'
        ) from error
    if not isinstance(features, Mapping):
        raise UserError("the features are not a JSON object", hint='give an object: {"age": 3.5}')
    return example(features)


def only_input(signature: Signature, where: str) -> TensorSpec:
    """Return the input of a signature that has one; raises UserError for another."""
    if len(signature.inputs) != 1:
        names = ", ".join(f"`{each.alias}` {described(each)}" for each in signature.inputs)
        raise UserError(
            f"signature {signature.name} does not take a single input: {names or 'none'}",
            where=where,
            hint="give a JSON request by --input FILE, or arrays by name in an .npz file: --npy",
        )
    return signature.inputs[0]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _missing(file, error) from error


def _missing(file: Path, error: OSError) -> UserError:
    return UserError(
        f"the file cannot be read: {error.strerror or error}",
        where=str(file),
        hint="check its path",
    )


def _short(error: Exception) -> str:
    """Return the first sentence of numpy's text: the next ones advise to load Python objects."""
    return str(error).partition(". ")[0].removesuffix(".")
