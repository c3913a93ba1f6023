"""Sample requests to a model's signatures, in the forms of the APIs that take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cloudserve.golden.generate import DEFAULT, generate, given_inputs
from cloudserve.savedmodel.signature import Signature

_SEED = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """Bodies of the same request; None for a form that cannot carry it.

    SageMaker takes the rows and the columns as TensorFlow Serving does, AI Platform the rows.
    Vertex AI takes `vertex`: the rows, with the signature's name as a parameter.
    """

    signature: str
    rows: dict[str, Any] | None
    columns: dict[str, Any] | None
    vertex: dict[str, Any] | None
    why_none: str = ""
    """Why there is no request; "" if there is one."""


def sample_requests(signatures: Sequence[Signature]) -> tuple[Sample, ...]:
    """Return a request to each signature, the same at every call."""
    return tuple(map(_sample, signatures))


def to_text(body: dict[str, Any]) -> str:
    """Return the JSON of a body."""
    return msgspec.json.encode(body).decode()


def _sample(signature: Signature) -> Sample:
    requests = generate([signature], 1, _SEED)
    if not requests:
        return Sample(signature.name, None, None, None, _reason(signature))
    (request,) = requests
    named = {} if signature.name == DEFAULT else {"signature_name": signature.name}
    rows = request.get("instances")
    if rows is None:
        return Sample(signature.name, None, request, None)
    columns = {**named, "inputs": _columns(rows, signature)}
    vertex = {"instances": rows, **({"parameters": named} if named else {})}
    return Sample(signature.name, {**named, "instances": rows}, columns, vertex)


def _columns(rows: list[Any], signature: Signature) -> Any:
    aliases = [spec.alias for spec in given_inputs(signature)]
    if len(aliases) == 1:
        return rows
    return {alias: [row[alias] for row in rows] for alias in aliases}


def _reason(signature: Signature) -> str:
    if signature.method_name.endswith(("/classify", "/regress")):
        return "it takes tf.Examples, whose features the signature does not name"
    if not signature.inputs:
        return "it has no inputs, and a REST request cannot name none"
    return "an input has no JSON form"
