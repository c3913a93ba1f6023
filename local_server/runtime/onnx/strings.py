"""Strings of requests, which are bytes, as onnxruntime's, which are texts in UTF-8."""

from __future__ import annotations

import numpy as np

from ...status import StatusError, invalid_argument
from ..types import Tensor


def to_texts(alias: str, array: Tensor) -> Tensor:
    """Return an array of texts. Raises StatusError (INVALID_ARGUMENT) for what is not UTF-8."""
    texts: Tensor = np.empty(array.shape, object)
    texts.reshape(-1)[:] = [_text(alias, value) for value in array.reshape(-1).tolist()]
    return texts


def to_bytes(array: Tensor) -> Tensor:
    """Return an array of bytes."""
    encoded: Tensor = np.empty(array.shape, object)
    encoded.reshape(-1)[:] = [str(value).encode() for value in array.reshape(-1).tolist()]
    return encoded


def _text(alias: str, value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _not_text(alias, error) from error


def _not_text(alias: str, error: UnicodeDecodeError) -> StatusError:
    return invalid_argument(
        f"the input {alias} has bytes that are not UTF-8, and strings of ONNX are texts: {error}"
    )
