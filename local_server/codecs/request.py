"""A predict request's JSON: the checks in TensorFlow Serving's order.

Source: tensorflow_serving/util/json_tensor.cc (`FillPredictRequestFromJson`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import simdjson

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import Code, StatusError
from .columns import decode_inputs
from .json_reader import parse_exactly
from .json_text import json_text
from .rows import decode_instances
from .scan import is_too_much, members, read_numbers, read_objects, repeats_a_key, scan

_KEYS = ("instances", "inputs", "signature_name")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A parsed predict request; what is in it is decoded once its signature is known."""

    body: bytes
    document: dict[str, Any]
    signature_name: str
    """What the request names, "" for the default."""
    is_scanned: bool
    """Whether `document` has simdjson's values, and of the known keys only."""

    @property
    def by_row(self) -> bool:
        """Whether the request is in row form, and so is to be answered in it."""
        return "instances" in self.document

    def decode(self, signature: Signature) -> dict[str, Tensor]:
        """Return arrays by input alias. Raises StatusError."""
        if not self.is_scanned:
            return _decode(self.document, signature, self.signature_name)
        try:
            return _read_numbers(self.document, signature, self.body)
        except (KeyError, TypeError, ValueError):
            return _decode(self._read_plainly(), signature, self.signature_name)

    def _read_plainly(self) -> Any:
        """Read a scanned body as Python's values."""
        if is_too_much(self.body):
            return parse_exactly(self.body)
        try:
            if not any(map(repeats_a_key, self.document.values())):
                return orjson.loads(self.body)
        except orjson.JSONDecodeError:  # nesting that simdjson takes and orjson does not
            pass
        return parse_exactly(self.body, first_counts=True)


def parse_request(body: bytes) -> PredictRequest:
    """Return a predict request parsed. Raises StatusError: INVALID_ARGUMENT."""
    return scan_request(body) or _parse_exactly(body)


def scan_request(body: bytes) -> PredictRequest | None:
    """Return a predict request that is plain JSON, None for one that takes the exact road.

    It takes time in proportion to the body, and little.
    """
    try:
        document = scan(body)
    except ValueError:
        return None
    if not isinstance(document, simdjson.Object):
        return None
    known = members(document, _KEYS)
    name = known.get("signature_name", "")
    return PredictRequest(body, known, name, is_scanned=True) if isinstance(name, str) else None


def signature_name(document: dict[str, Any]) -> str:
    """Return the signature that a request names, "" for none. Raises StatusError."""
    name = document.get("signature_name", "")
    if isinstance(name, str):
        return name
    raise _wrong(document, "not formatted correctly. 'signature_name' key must be a string value.")


def _parse_exactly(body: bytes) -> PredictRequest:
    document = parse_exactly(body, first_counts=True)
    if not isinstance(document, dict):
        raise _wrong(document, "Is not object")
    return PredictRequest(body, document, signature_name(document), is_scanned=False)


def _read_numbers(document: dict[str, Any], signature: Signature, body: bytes) -> dict[str, Tensor]:
    """Return the tensors of a request that is all numbers in lists; else a ValueError or so."""
    dtypes = {spec.alias: spec.dtype for spec in signature.inputs}
    if not dtypes or ("instances" in document) == ("inputs" in document):
        raise ValueError("no inputs, neither form, or both")
    if _has_objects(document.get("instances")):
        return read_objects(document["instances"], dtypes, body)
    inputs = document.get("inputs")
    if isinstance(inputs, simdjson.Object):
        given = members(inputs, dtypes)
        if given.keys() != dtypes.keys() or len(inputs) != len(given):
            raise ValueError("other inputs, or one twice")
        return read_numbers(given, dtypes, body)
    (alias,) = dtypes
    tensors = read_numbers({alias: document.get("instances", inputs)}, dtypes, body)
    if "instances" in document and not len(tensors[alias]):
        raise ValueError("no instances")
    return tensors


def _has_objects(instances: Any) -> bool:
    is_list = isinstance(instances, simdjson.Array) and len(instances) > 0
    return is_list and isinstance(instances[0], simdjson.Object)


def _decode(document: dict[str, Any], signature: Signature, name: str) -> dict[str, Tensor]:
    if not signature.inputs:
        raise _invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    inputs = document.get("inputs", _MISSING)
    if "instances" in document:
        if inputs is not _MISSING:
            raise _wrong(
                document,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' "
                "keys to exist ",
            )
        return decode_instances(_instances(document), signature)
    if inputs is _MISSING:
        raise _invalid("Missing 'inputs' or 'instances' key")
    return decode_inputs(inputs, signature)


def _instances(document: dict[str, Any]) -> list[Any]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _wrong(document, "Expecting 'instances' to be an list/array")
    if not instances:
        raise _wrong(document, "No values in 'instances' array")
    return instances


def _wrong(document: Any, text: str) -> StatusError:
    return _invalid(f"JSON Value: {json_text(document)} {text}")


def _invalid(text: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, text)
