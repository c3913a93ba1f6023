"""Strings as arrays: numpy's own string arrays drop trailing zero bytes, object arrays do not."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def string_array(value: Any, leaf: Callable[[Any], bytes]) -> NDArray[Any]:
    """Return nested lists of strings as an object array of bytes.

    `leaf` makes bytes of one value. Raises ValueError for lists of different lengths, and whatever
    `leaf` raises.
    """
    import numpy as np

    shape = _shape(value)
    array: NDArray[Any] = np.empty(shape, object)
    array.reshape(-1)[:] = [leaf(each) for each in _leaves(value, len(shape))]
    return array


def as_bytes(value: Any) -> bytes:
    """Return the bytes of a text or bytes; raises TypeError for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise TypeError(type(value).__name__)


def from_json(value: Any) -> bytes:
    """Return the bytes of a JSON string, or of TensorFlow Serving's `{"b64": …}`.

    A byte that was not UTF-8 is a surrogate of the text, as `json_text` decodes it.
    """
    if isinstance(value, Mapping) and value.keys() == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, TypeError) as error:
            raise ValueError(f"its base64 is invalid: {error}") from error
    return value.encode(errors="surrogateescape") if isinstance(value, str) else as_bytes(value)


def json_text(body: bytes) -> str:
    """Return JSON as text, its invalid bytes as surrogates.

    TensorFlow Serving prints the bytes of string outputs as they are, valid UTF-8 or not, unless
    the output's name ends in `_bytes` (json_tensor.cc, `WriteDecimal` and `IsNamedTensorBytes`).
    """
    return body.decode(errors="surrogateescape")


def to_json(value: bytes) -> Any:
    """Return the JSON form of bytes: a string if they are UTF-8, otherwise `{"b64": …}`."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _shape(value: Any) -> tuple[int, ...]:
    if not _is_list(value):
        return ()
    inner = {_shape(each) for each in value}
    if len(inner) > 1:
        raise ValueError("its lists have different lengths")
    return (len(value), *(inner.pop() if inner else ()))


def _leaves(value: Any, depth: int) -> Iterator[Any]:
    if depth == 0:
        yield value
        return
    for each in value:
        yield from _leaves(each, depth - 1)
