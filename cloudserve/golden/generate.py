"""Requests made up from signatures, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Shape, Signature, TensorSpec

DEFAULT = "serving_default"
MOST_ROWS = 3
_DECIMALS = 4
_OTHER_METHODS = ("/classify", "/regress")
_TEXTS = ("", "a", "sample", "two words")
_FLOATS = ("float16", "float32", "float64", "bfloat16")
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
Make = Callable[[random.Random], Any]


def _float(chance: random.Random) -> float:
    return round(chance.uniform(-1, 1), _DECIMALS)


def _integer(chance: random.Random) -> int:
    return chance.randint(0, 1)


def _boolean(chance: random.Random) -> bool:
    return chance.random() < 1 / 2


def _text(chance: random.Random) -> str:
    return chance.choice(_TEXTS)


_MAKERS: dict[str, Make] = {
    **dict.fromkeys(_FLOATS, _float),
    **dict.fromkeys(_INTEGERS, _integer),
    "bool": _boolean,
    "string": _text,
}
"""The generators of values, by dtype; the other dtypes have no JSON form."""


def generate(signatures: Sequence[Signature], count: int, seed: int) -> list[dict[str, Any]]:
    """Return requests to the signatures in turns: floats from -1 to 1, integers 0 and 1, texts.

    Open dimensions have the size 1, the first one 1 to 3. Signatures that take Examples, or values
    without a JSON form, are left out; the list is empty if there is no other.
    """
    fit = [signature for signature in signatures if _can_be_asked(signature)]
    chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    turns: Iterator[Signature] = cycle(fit)
    return [_request(signature, chance) for signature in islice(turns, count if fit else 0)]


def _can_be_asked(signature: Signature) -> bool:
    return (
        signature.name not in HIDDEN_SIGNATURES
        and not signature.method_name.endswith(_OTHER_METHODS)
        and bool(signature.inputs)
        and all(spec.dtype in _MAKERS and not spec.components for spec in signature.inputs)
    )


def _request(signature: Signature, chance: random.Random) -> dict[str, Any]:
    specs = given_inputs(signature)
    rows = chance.randint(1, MOST_ROWS)
    columns = {spec.alias: _tensor(spec, rows, chance) for spec in specs}
    request: dict[str, Any] = {}
    if signature.name != DEFAULT:
        request["signature_name"] = signature.name
    if not all(_is_by_row(spec.shape) for spec in specs):
        request["inputs"] = columns
    elif len(columns) == 1:
        (request["instances"],) = columns.values()
    else:
        values = zip(*columns.values(), strict=True)
        request["instances"] = [dict(zip(columns, row, strict=True)) for row in values]
    return request


def given_inputs(signature: Signature) -> list[TensorSpec]:
    """Return the inputs that a request gives: those without a default, or all if each has one."""
    needed = [spec for spec in signature.inputs if spec.alias not in signature.defaults]
    return needed or list(signature.inputs)


def _is_by_row(shape: Shape) -> bool:
    return shape is None or (bool(shape) and shape[0] is None)


def _tensor(spec: TensorSpec, rows: int, chance: random.Random) -> Any:
    value = _MAKERS[spec.dtype]
    sizes = (rows,) if spec.shape is None else spec.shape
    first, *others = sizes or (1,)
    shape = [rows if first is None else first, *(1 if size is None else size for size in others)]
    return _filled(shape, value, chance) if sizes else value(chance)


def _filled(shape: list[int], value: Make, chance: random.Random) -> Any:
    if not shape:
        return value(chance)
    return [_filled(shape[1:], value, chance) for _ in range(shape[0])]
