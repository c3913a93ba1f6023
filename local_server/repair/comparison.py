"""The proof of a repair: the answers of both models to the same requests, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import orjson

from cloudserve.errors import ModelError
from cloudserve.golden.generate import generate
from cloudserve.savedmodel import read_saved_model

from ..codecs.request import parse_request
from ..runtime.loading.serving_image import ServingImage
from ..runtime.session import load_model
from ..runtime.types import DEFAULT_SIGNATURE, LoadedModel, Tensor
from ..status import StatusError

_REQUESTS, _SEED = 8, 1

Answer = dict[str, tuple[str, tuple[int, ...], Any]]
"""The dtype, shape and bits of each output; a refusal is its text instead."""


def compare(source: Path, copy: Path, tags: tuple[str, ...]) -> tuple[int, str]:
    """Return how many requests both models answered alike, or why none was compared.

    Both are newly loaded and asked in the same order, so models with state have the same state. The
    copy is loaded as TensorFlow Serving loads it, the source with its object graph too. Requests
    that the source refuses are ignored. Raises ModelError if the copy does not load, or answers
    otherwise than the source, whose answers are the same after each load.
    """
    bodies = generate(read_saved_model(source, tags).signatures, _REQUESTS, _SEED)
    if not bodies:
        return 0, "no request can be made up from the signatures"
    expected = _answers(source, tags, bodies)
    actual = _answers(copy, tags, bodies, ServingImage())
    pairs = [(e, a) for e, a in zip(expected, actual, strict=True) if not _is_refusal(e)]
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    if differing and _answers(source, tags, bodies) == expected:
        _raise_difference(*differing[0], copy)
    if differing:
        return 0, "the model answers differently each time that it is loaded"
    return len(pairs), "" if pairs else "the model refuses the requests that are made up"


def _answers(
    folder: Path,
    tags: tuple[str, ...],
    bodies: Iterable[Mapping[str, Any]],
    image: ServingImage | None = None,
) -> list[Answer | str]:
    with closing(load_model(folder, tags, image=image)) as model:
        return [_answer(model, body) for body in bodies]


def _is_refusal(answer: Answer | str) -> bool:
    return isinstance(answer, str)


def _answer(model: LoadedModel, body: Mapping[str, Any]) -> Answer | str:
    parsed = parse_request(orjson.dumps(body))
    name = parsed.signature_name or DEFAULT_SIGNATURE
    try:
        outputs = model.run(name, parsed.decode(model.signatures[name]))
    except StatusError as error:
        return str(error)
    return {alias: _bits(array) for alias, array in outputs.items()}


def _bits(array: Tensor) -> tuple[str, tuple[int, ...], Any]:
    content = array.tolist() if array.dtype == object else array.tobytes()
    return array.dtype.name, array.shape, content


def _raise_difference(expected: Answer | str, actual: Answer | str, copy: Path) -> NoReturn:
    difference = actual
    if isinstance(actual, dict) and isinstance(expected, dict):
        difference = ", ".join(name for name in expected if actual.get(name) != expected[name])
    raise ModelError(
        f"the repaired model answers differently: {difference}",
        where=str(copy),
        hint="export the model again; report this with the model if you can share it",
    )
