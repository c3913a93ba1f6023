"""A predict request's JSON: the checks in TensorFlow Serving's order.

Source: tensorflow_serving/util/json_tensor.cc (`FillPredictRequestFromJson`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import simdjson

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import StatusError, invalid_argument
from .column_format import decode_inputs
from .json.fast_path import (
    is_brief,
    members,
    read_numbers,
    read_objects,
    repeats_a_key,
    scan,
)
from .json.reader import parse_exactly, too_many_values
from .json.text import json_text
from .large.document import Document, Node
from .large.outline import DeepError, read_outline
from .large.request import decode_large_inputs, decode_large_instances
from .limits import DEFAULT_LIMITS, JsonLimits
from .row_format import decode_instances

_KEYS = ("instances", "inputs", "signature_name")
_MISSING = object()
WHOLE_BYTES = 2**18
"""The size up to which a document is parsed as a whole."""
SCANNED_BYTES = 2**22
"""The size up to which the fast path parses it whole: it holds the GIL for milliseconds."""


@dataclass(frozen=True, slots=True)
class Large:
    """A body in pieces, and its members with known keys: values, or nodes of the document."""

    document: Document
    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A parsed predict request, which is decoded once its signature is known."""

    body: bytes
    document: dict[str, Any]
    signature_name: str
    """The requested signature, or "" for the default."""
    is_scanned: bool
    """Whether `document` holds simdjson's values, only of the known keys."""
    limits: JsonLimits = DEFAULT_LIMITS
    large: Large | None = None
    """A large body; `document` then holds the part that error texts show."""

    @property
    def by_row(self) -> bool:
        """Whether the request, and therefore the response, is in row format."""
        return "instances" in self.document

    def decode(self, signature: Signature) -> dict[str, Tensor]:
        """Return arrays by input alias. Raises StatusError."""
        if not self.is_scanned:
            return _decode(self.document, signature, self.signature_name, self.large)
        plain = self.decode_plain(signature)
        if plain is not None:
            return plain
        if len(self.body) > WHOLE_BYTES:
            return _parse_in_pieces(self.body, self.limits).decode(signature)
        return _decode(self._read_values(), signature, self.signature_name)

    def decode_plain(self, signature: Signature) -> dict[str, Tensor] | None:
        """Do the same for a scanned request of numbers in little time; None for any other."""
        try:
            return _read_numbers(self.document, signature, self.body)
        except (KeyError, TypeError, ValueError):
            return None

    def _read_values(self) -> Any:
        """Parse a scanned body to Python values."""
        if self.limits.are_passed_by(self.body):
            raise too_many_values()
        try:
            if not any(map(repeats_a_key, self.document.values())):
                return orjson.loads(self.body)
        except orjson.JSONDecodeError:  # nesting that only simdjson accepts
            pass
        return parse_exactly(self.body, first_counts=True, limits=self.limits)


def parse_request(body: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> PredictRequest:
    """Return a predict request parsed. Raises StatusError: INVALID_ARGUMENT."""
    plain = scan_request(body, limits) if len(body) <= SCANNED_BYTES else None
    if plain is not None:
        return plain
    if len(body) > WHOLE_BYTES:
        return _parse_in_pieces(body, limits)
    return _parse_exactly(body, limits)


def scan_request(body: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> PredictRequest | None:
    """Return a predict request of plain JSON, or None if it needs the exact parser.

    It takes little time, in proportion to the body.
    """
    try:
        document = scan(body)
    except ValueError:
        return None
    if not isinstance(document, simdjson.Object):
        return None
    known = members(document, _KEYS)
    name = known.get("signature_name", "")
    if not isinstance(name, str):
        return None
    return PredictRequest(body, known, name, is_scanned=True, limits=limits)


def scan_brief(body: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> PredictRequest | None:
    """Do the same for a body whose numbers are read in little time; None for any other, too."""
    return scan_request(body, limits) if is_brief(body) else None


def signature_name(document: dict[str, Any]) -> str:
    """Return the requested signature, or "". Raises StatusError."""
    name = document.get("signature_name", "")
    if isinstance(name, str):
        return name
    raise _wrong(document, "not formatted correctly. 'signature_name' key must be a string value.")


def _parse_in_pieces(body: bytes, limits: JsonLimits) -> PredictRequest:
    try:
        pieces = read_outline(body, limits, first_counts=True)
    except DeepError:
        return _parse_exactly(body, limits)
    root = pieces.root
    document = pieces.shown(root)
    if root.is_list:
        raise _wrong(document, "Is not object")
    large = Large(pieces, pieces.find(_KEYS))
    # Error texts show other members, too.
    document |= {name: pieces.shown(value) for name, value in large.members.items()}
    return PredictRequest(body, document, signature_name(document), is_scanned=False, large=large)


def _parse_exactly(body: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> PredictRequest:
    document = parse_exactly(body, first_counts=True, limits=limits)
    if not isinstance(document, dict):
        raise _wrong(document, "Is not object")
    return PredictRequest(body, document, signature_name(document), is_scanned=False)


def _read_numbers(document: dict[str, Any], signature: Signature, body: bytes) -> dict[str, Tensor]:
    """Return the tensors of a request of lists of numbers; raises ValueError or similar."""
    dtypes = {spec.alias: spec.dtype for spec in signature.inputs}
    if not dtypes or ("instances" in document) == ("inputs" in document):
        raise ValueError("no inputs, neither form, or both")
    if _has_objects(document.get("instances")):
        return read_objects(document["instances"], dtypes, body)
    inputs = document.get("inputs")
    if isinstance(inputs, simdjson.Object):
        arrays = members(inputs, dtypes)
        if arrays.keys() != dtypes.keys() or len(inputs) != len(arrays):
            raise ValueError("other inputs, or one twice")
        return read_numbers(arrays, dtypes, body)
    (alias,) = dtypes
    tensors = read_numbers({alias: document.get("instances", inputs)}, dtypes, body)
    if "instances" in document and not len(tensors[alias]):
        raise ValueError("no instances")
    return tensors


def _has_objects(instances: Any) -> bool:
    is_list = isinstance(instances, simdjson.Array) and len(instances) > 0
    return is_list and isinstance(instances[0], simdjson.Object)


def _decode(
    document: dict[str, Any], signature: Signature, name: str, large: Large | None = None
) -> dict[str, Tensor]:
    if not signature.inputs:
        raise invalid_argument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    inputs = document.get("inputs", _MISSING)
    if "instances" in document:
        if inputs is not _MISSING:
            raise _wrong(
                document,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' "
                "keys to exist ",
            )
        instances = _instances(document)
        if large and isinstance(node := large.members["instances"], Node):
            return decode_large_instances(large.document, node, signature)
        return decode_instances(instances, signature)
    if inputs is _MISSING:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    if large and isinstance(node := large.members["inputs"], Node):
        return decode_large_inputs(large.document, node, signature)
    return decode_inputs(inputs, signature)


def _instances(document: dict[str, Any]) -> list[Any]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _wrong(document, "Expecting 'instances' to be an list/array")
    if not instances:
        raise _wrong(document, "No values in 'instances' array")
    return instances


def _wrong(document: Any, text: str) -> StatusError:
    return invalid_argument(f"JSON Value: {json_text(document)} {text}")
