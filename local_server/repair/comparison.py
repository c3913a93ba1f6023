"""The proof of a repair: the answers of both models to the same requests, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

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
"""The dtype, shape and bits of each output."""


def compare(source: Path, copy: Path, tags: tuple[str, ...]) -> tuple[int, str]:
    """Return how many requests both models answered alike, or why none was compared.

    The copy is loaded as TensorFlow Serving loads it, the source with its object graph too.
    Requests that the source refuses, or answers differently each time, are left out. Raises
    ModelError if the copy does not load or an answer differs.
    """
    bodies = generate(read_saved_model(source, tags).signatures, _REQUESTS, _SEED)
    if not bodies:
        return 0, "no request can be made up from the signatures"
    compared = 0
    with (
        closing(load_model(source, tags)) as before,
        closing(load_model(copy, tags, image=ServingImage())) as after,
    ):
        for body in bodies:
            expected = _answer(before, body)
            if isinstance(expected, StatusError) or expected != _answer(before, body):
                continue
            _check_equal(expected, _answer(after, body), copy)
            compared += 1
    return compared, "" if compared else "the model refuses requests that are made up, or varies"


def _answer(model: LoadedModel, body: Mapping[str, Any]) -> Answer | StatusError:
    parsed = parse_request(orjson.dumps(body))
    name = parsed.signature_name or DEFAULT_SIGNATURE
    try:
        outputs = model.run(name, parsed.decode(model.signatures[name]))
    except StatusError as error:
        return error
    return {alias: _bits(array) for alias, array in outputs.items()}


def _bits(array: Tensor) -> tuple[str, tuple[int, ...], Any]:
    content = array.tolist() if array.dtype == object else array.tobytes()
    return array.dtype.name, array.shape, content


def _check_equal(expected: Answer, actual: Answer | StatusError, copy: Path) -> None:
    if actual == expected:
        return
    if isinstance(actual, StatusError):
        difference = str(actual)
    else:
        difference = ", ".join(name for name in expected if actual.get(name) != expected[name])
    raise ModelError(
        f"the repaired model answers differently: {difference}",
        where=str(copy),
        hint="export the model again; report this with the model if you can share it",
    )
