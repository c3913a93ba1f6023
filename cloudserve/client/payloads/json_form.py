"""Predictions as JSON: TensorFlow Serving's `instances` and `inputs`, `predictions` and `outputs`.

Source: tensorflow/serving, docs/api_rest.md, "Predict API".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudserve.client.payloads.arrays import STRING, numpy_dtype, objects
from cloudserve.client.payloads.payload import DEFAULT_SIGNATURE, Payload
from cloudserve.client.payloads.strings import from_json, json_text, string_array, to_json
from cloudserve.client.transports.channel import Arrays, Call
from cloudserve.errors import RemoteError, UserError
from cloudserve.savedmodel.signature import Signature, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNNAMED = "predictions"
"""The output of a model whose signature is unknown and whose rows name none."""
_NARROW = frozenset({"bfloat16", "float16"})
_PROXY = "check which server answers there: a proxy, or your own container"


def encode_json(call: Call, where: str, *, rows_only: bool = False) -> bytes:
    """Return the JSON of a request.

    By row (`instances`) if every tensor has an open first dimension, otherwise by column
    (`inputs`); `rows_only` is for platforms that know `instances` alone. Raises UserError for
    values that JSON cannot hold.
    """
    document: dict[str, Any] = {}
    if call.signature not in {"", DEFAULT_SIGNATURE}:
        document["signature_name"] = call.signature
    if call.spec is None:
        document["instances"] = call.rows
        return _plain_dump(document, where)
    payload = Payload(
        call.spec, {name: _writable(a, name, where) for name, a in call.inputs.items()}
    )
    if payload.rows or rows_only:
        document["instances"] = _by_row(payload.inputs, where)
    else:
        document["inputs"] = _by_column(payload.inputs)
    return _dump(document, payload.inputs.values())


def decode_json(body: bytes, spec: Signature | None, where: str) -> Arrays:
    """Return the outputs in a JSON answer; raises RemoteError if there are none."""
    document = _load(body, where)
    if isinstance(document, dict) and "predictions" in document:
        return _guarded(_from_rows, document["predictions"], spec, where)
    if isinstance(document, dict) and "outputs" in document:
        return _guarded(_from_columns, document["outputs"], spec, where)
    raise RemoteError(
        "the answer has neither `predictions` nor `outputs`",
        where=where,
        hint="`cloudserve predict --input FILE -o json` prints it unchanged",
    )


def _writable(array: NDArray[Any], name: str, where: str) -> NDArray[Any]:
    """Return an array as JSON can hold it."""
    import numpy as np

    if array.dtype.kind == "c":
        raise UserError(
            f"JSON has no complex numbers, and `{name}` takes {array.dtype}",
            where=where,
            hint="send it over gRPC: grpc://HOST:PORT/NAME",
        )
    if array.dtype.name in _NARROW or array.dtype.kind == "V":
        array = array.astype(np.float32)
    return np.ascontiguousarray(array) if array.ndim else array


def _by_row(inputs: Arrays, where: str) -> Any:
    columns = {name: _value(array) for name, array in inputs.items()}
    sizes = {
        name: len(value) if array.ndim else -1
        for (name, array), value in zip(inputs.items(), columns.values(), strict=True)
    }
    if -1 in sizes.values() or len(set(sizes.values())) > 1:
        raise UserError(
            "the platform takes one value of every input for each row, and the inputs have "
            f"{', '.join(f'{n} of `{name}`' for name, n in sizes.items()).replace('-1', 'one')}",
            where=where,
            hint="send the same number of rows for every input",
        )
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _by_column(inputs: Arrays) -> Any:
    columns = {name: _value(array) for name, array in inputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def _value(array: NDArray[Any]) -> Any:
    """Return strings as JSON values; numbers stay an array, which orjson writes by itself."""
    return _strings(array.tolist()) if array.dtype == object else array


def _strings(value: Any) -> Any:
    return [_strings(each) for each in value] if isinstance(value, list) else to_json(value)


def _dump(document: Mapping[str, Any], arrays: Any) -> bytes:
    import numpy as np
    import orjson

    # orjson writes NaN and infinities as null; TensorFlow Serving reads them as bare words.
    if all(a.dtype.kind != "f" or np.isfinite(a).all() for a in arrays):
        data: bytes = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
        return data
    return json.dumps(document, default=_json).encode()


def _plain_dump(document: Mapping[str, Any], where: str) -> bytes:
    try:
        return json.dumps(document, default=_json).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"`instances` cannot be sent as JSON: {error}",
            where=where,
            hint="give numbers, texts, bytes, arrays, and lists and mappings of them",
        ) from error


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        import base64

        return {"b64": base64.b64encode(value).decode()}
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"it holds a {type(value).__name__}")


def _load(body: bytes, where: str) -> Any:
    import orjson

    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass  # TensorFlow Serving's JSON has bare words for NaN and infinities, and any bytes
    try:
        return json.loads(json_text(body))
    except (ValueError, RecursionError) as error:
        raise RemoteError(f"the answer is not JSON: {error}", where=where, hint=_PROXY) from error


def _guarded(read: Any, value: Any, spec: Signature | None, where: str) -> Arrays:
    try:
        outputs: Arrays = read(value, spec)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise RemoteError(
            f"the answer does not have the signature's outputs: {error}", where=where, hint=_PROXY
        ) from error
    return outputs


def _from_rows(rows: Any, spec: Signature | None) -> Arrays:
    if not isinstance(rows, list):
        raise TypeError("`predictions` is not a list")
    if spec is None:
        return _guessed(rows)
    if len(spec.outputs) == 1:
        return {spec.outputs[0].alias: _array(_unwrapped(rows, spec), spec.outputs[0])}
    return {s.alias: _array([row[s.alias] for row in rows], s) for s in spec.outputs}


def _unwrapped(rows: list[Any], spec: Signature) -> list[Any]:
    """Return the values of one output, which some containers name in every row."""
    name = {spec.outputs[0].alias}
    is_named = all(isinstance(row, dict) and row.keys() == name for row in rows)
    return [row[spec.outputs[0].alias] for row in rows] if rows and is_named else rows


def _from_columns(value: Any, spec: Signature | None) -> Arrays:
    if spec is None:
        named = value if isinstance(value, dict) and "b64" not in value else {UNNAMED: value}
        return {name: _guess(column) for name, column in named.items()}
    if len(spec.outputs) == 1:
        return {spec.outputs[0].alias: _array(value, spec.outputs[0])}
    return {s.alias: _array(value[s.alias], s) for s in spec.outputs}


def _guessed(rows: list[Any]) -> Arrays:
    if rows and all(isinstance(row, dict) and "b64" not in row for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: _guess([row.get(name) for row in rows]) for name in names}
    return {UNNAMED: _guess(rows)}


def _guess(value: Any) -> NDArray[Any]:
    """Return an array of values whose dtype is unknown; lists of different lengths as objects."""
    import numpy as np

    try:
        return string_array(value, from_json)
    except (TypeError, ValueError):
        pass
    try:
        return np.array(value)
    except ValueError:
        return objects(value)


def _array(value: Any, spec: TensorSpec) -> NDArray[Any]:
    import numpy as np

    if spec.dtype == STRING:
        return string_array(value, from_json)
    dtype = numpy_dtype(spec.dtype)
    is_whole = dtype is not None and dtype.kind in "iu"
    try:
        # Without its dtype numpy makes floats of whole numbers beyond int64.
        array = np.array(value, dtype if is_whole else None)
    except ValueError:  # the rows of a ragged tensor
        return objects(value)
    return array if dtype is None else array.astype(dtype)
