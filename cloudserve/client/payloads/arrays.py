"""A value as the array that an input takes, or the reason why it is not one.

Casts are those that lose nothing but precision: whole numbers to floats, wide types to narrow ones
if every number fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloudserve.client.payloads.strings import as_bytes, string_array
from cloudserve.errors import UserError
from cloudserve.savedmodel.signature import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRING = "string"


class UnfitError(ValueError):
    """A value that an input does not take, in words that follow `you sent`."""


def described(spec: TensorSpec) -> str:
    """Return what an input takes: `float32 [?,28,28,1]`."""
    return spec.type.replace("[", " [", 1)


def numpy_dtype(name: str) -> Any:
    """Return numpy's dtype for TensorFlow's name of one; None if there is none."""
    import numpy as np

    if name == STRING:
        return np.dtype(object)
    try:
        return np.dtype(name)
    except TypeError:
        pass
    try:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
    except (ImportError, AttributeError):
        return None


def to_array(value: Any, spec: TensorSpec) -> NDArray[Any]:
    """Return a value as an array of the input's dtype; raises UnfitError."""
    if spec.dtype == STRING:
        return _to_strings(value)
    dtype = numpy_dtype(spec.dtype)
    if dtype is None:
        raise UnfitError(f"a value for {spec.dtype}, for which numpy has no type")
    array = _to_numbers(value)
    if dtype.kind in "iu" and array.dtype.kind == "f":
        array = _whole_numbers(value, dtype, array)
    if array.size == 0 and not hasattr(value, "dtype"):
        return array.astype(dtype)  # an empty list has no dtype
    return _cast(array, dtype)


def objects(values: Sequence[Any]) -> NDArray[Any]:
    """Return an array whose elements are the values, such as lists of different lengths."""
    import numpy as np

    array: NDArray[Any] = np.empty(len(values), object)
    array[:] = [*values]
    return array


def storable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of a dtype that .npy files have; raises UserError for any other dtype.

    Strings become numpy's own, of a fixed length; bfloat16 and the float8 types become float32.
    """
    import numpy as np

    if array.dtype == object:
        leaves = array.ravel()
        if not all(isinstance(leaf, bytes) and not leaf.endswith(b"\0") for leaf in leaves):
            raise UserError(
                f"the values of {name} have no form in a .npy file: rows of different lengths, or "
                "strings that end with NUL",
                hint="print them with -o json",
            )
        return array.astype(np.bytes_)
    is_foreign = array.dtype.kind == "V" and array.dtype.names is None
    return array.astype(np.float32) if is_foreign else array


def _to_strings(value: Any) -> NDArray[Any]:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind and kind not in "OSUT":
        raise UnfitError(f"{value.dtype}")
    plain = value.tolist() if kind else value
    try:
        return string_array(plain, as_bytes)
    except TypeError as error:
        raise UnfitError(f"a value of type {error}") from error
    except ValueError as error:
        raise UnfitError(f"a list, and {error}") from error


def _to_numbers(value: Any) -> NDArray[Any]:
    import numpy as np

    try:
        array = np.asarray(value)
    except ValueError as error:
        raise UnfitError("lists of different lengths") from error
    except TypeError as error:
        raise UnfitError(f"a value of type {type(value).__name__}") from error
    if array.dtype.kind in "SUTO":
        raise UnfitError("text" if array.dtype.kind in "SUT" else _odd(array))
    return array


def _whole_numbers(value: Any, dtype: Any, array: NDArray[Any]) -> NDArray[Any]:
    """Return lists of whole numbers exactly: numpy takes those beyond int64 for floats."""
    import numpy as np

    exact = np.asarray(value, object)
    if hasattr(value, "dtype") or not all(type(each) is int for each in exact.reshape(-1)):
        return array
    try:
        return np.array(exact.tolist(), dtype)
    except OverflowError:
        limits = np.iinfo(dtype)
        raise UnfitError(f"numbers outside {limits.min} to {limits.max}") from None


def _odd(array: NDArray[Any]) -> str:
    one = next((each for each in array.reshape(-1)), None)
    return "null" if one is None else f"a value of type {type(one).__name__}"


def _cast(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    import numpy as np

    if array.dtype == dtype:
        return array
    if (array.dtype.kind == "b") != (dtype.kind == "b") or not _may_cast(array.dtype, dtype):
        raise UnfitError(str(array.dtype))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise UnfitError(f"numbers outside {limits.min} to {limits.max}")
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if dtype.kind == "f" and not np.array_equal(np.isfinite(array), np.isfinite(cast)):
        raise UnfitError(f"numbers that {dtype} cannot hold")
    return cast


def _may_cast(source: Any, target: Any) -> bool:
    """Return whether numbers of one dtype may become another's: not floats whole numbers."""
    order = "iufcV"  # ml_dtypes' types have the kind V, and are floats
    if source.kind not in order or target.kind not in order:
        return False
    is_whole = source.kind in "iu"
    if target.kind in "iu":
        return is_whole
    return bool(target.kind == "c" or source.kind != "c")
