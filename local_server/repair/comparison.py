"""The proof of a repair: the answers of both models to the same requests, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import orjson

from cloudserve.errors import ModelError
from cloudserve.golden.generate import generate
from cloudserve.local.model_repair import RepairRequest
from cloudserve.savedmodel import read_saved_model

from ..codecs.request import parse_request
from ..rewriting.names import has_own_names, new_names
from ..rewriting.rounding import ulp_between
from ..runtime.loading.serving_image import ServingImage
from ..runtime.session import load_model
from ..runtime.types import DEFAULT_SIGNATURE, LoadedModel, Tensor
from ..status import StatusError

_REQUESTS, _SEED = 8, 1

Asked = tuple[str, Mapping[str, Tensor]]
"""A signature and its inputs by alias."""
Answer = Mapping[str, Tensor]
_Names = tuple[Mapping[str, str], Mapping[str, str]]
"""The new names of inputs by the old ones, and the old names of outputs by the new ones."""


def compare(source: Path, copy: Path, request: RepairRequest) -> tuple[int, str, int]:
    """Return how many requests both models answered alike, why none was compared, and the ULP.

    Both are newly loaded and asked in the same order, so models with state have the same state. The
    copy is loaded as TensorFlow Serving loads it, the source with its object graph too. Requests
    that the source refuses are ignored. Only a model whose variables became constants may answer
    with rounded numbers. Raises ModelError if the copy does not load, or answers otherwise than the
    source, whose answers are the same after each load.
    """
    requests = list(_requests(source, request.tags))
    if not requests:
        return 0, "no request can be made up from the signatures", 0
    expected = _answers(source, request.tags, requests)
    names = dict(_names(source, request))
    actual = _answers(copy, request.tags, requests, names, ServingImage())
    pairs = [(e, a) for e, a in zip(expected, actual, strict=True) if not isinstance(e, str)]
    differences = [_difference(*pair, rounded=request.freeze) for pair in pairs]
    if None not in differences:
        reason = "" if pairs else "the model refuses the requests that are made up"
        return len(pairs), reason, max((d for d in differences if d), default=0)
    again = _answers(source, request.tags, requests)
    if all(_is_same(e, a) for e, a in zip(expected, again, strict=True)):
        _raise_difference(*pairs[differences.index(None)], copy)
    return 0, "the model answers differently each time that it is loaded", 0


def _requests(source: Path, tags: tuple[str, ...]) -> Iterator[Asked]:
    signatures = {one.name: one for one in read_saved_model(source, tags).signatures}
    for body in generate(tuple(signatures.values()), _REQUESTS, _SEED):
        parsed = parse_request(orjson.dumps(body))
        name = parsed.signature_name or DEFAULT_SIGNATURE
        yield name, parsed.decode(signatures[name])


def _names(source: Path, request: RepairRequest) -> Iterator[tuple[str, _Names]]:
    """Yield the names that a repair changes, by signature."""
    for one in read_saved_model(source, request.tags).signatures:
        if has_own_names(one.name, one.method_name):
            inputs = new_names((spec.alias for spec in one.inputs), request.inputs)
            outputs = new_names((spec.alias for spec in one.outputs), request.outputs)
            yield one.name, (inputs, {new: old for old, new in outputs.items()})


def _answers(
    folder: Path,
    tags: tuple[str, ...],
    requests: Iterable[Asked],
    names: Mapping[str, _Names] = MappingProxyType({}),
    image: ServingImage | None = None,
) -> list[Answer | str]:
    """Return the answers by the names of the source; a refusal is its text."""
    with closing(load_model(folder, tags, image=image)) as model:
        return [_answer(model, name, feeds, names.get(name, ({}, {}))) for name, feeds in requests]


def _answer(
    model: LoadedModel, signature: str, feeds: Mapping[str, Tensor], names: _Names
) -> Answer | str:
    new_inputs, old_outputs = names
    own = {new_inputs.get(alias, alias): array for alias, array in feeds.items()}
    try:
        outputs = model.run(signature, own)
    except StatusError as error:
        return str(error)
    return {old_outputs.get(alias, alias): array for alias, array in outputs.items()}


def _is_same(one: Answer | str, other: Answer | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return _difference(one, other, rounded=False) == 0


def _difference(expected: Answer, actual: Answer | str, *, rounded: bool) -> int | None:
    """Return the largest difference in ULP, None if it is more than is allowed."""
    if isinstance(actual, str) or set(expected) != set(actual):
        return None
    largest = 0
    for alias, array in expected.items():
        if _bits(array) != _bits(actual[alias]):
            ulp = ulp_between(array, actual[alias]) if rounded else None
            if ulp is None:
                return None
            largest = max(largest, ulp)
    return largest


def _bits(array: Tensor) -> tuple[str, tuple[int, ...], Any]:
    content = array.tolist() if array.dtype == object else array.tobytes()
    return array.dtype.name, array.shape, content


def _raise_difference(expected: Answer | str, actual: Answer | str, copy: Path) -> NoReturn:
    difference = actual
    if not isinstance(actual, str) and not isinstance(expected, str):
        names = (n for n in expected if n not in actual or _bits(expected[n]) != _bits(actual[n]))
        difference = ", ".join(names)
    raise ModelError(
        f"the repaired model answers differently: {difference}",
        where=str(copy),
        hint="export the model again; report this with the model if you can share it",
    )
