"""A predict request's JSON: the checks in TensorFlow Serving's order.

Source: tensorflow_serving/util/json_tensor.cc (`FillPredictRequestFromJson`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import Code, StatusError
from .columns import decode_inputs
from .json_reader import parse_json
from .json_text import json_text
from .rows import decode_instances

_MISSING = object()


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A parsed predict request; what is in it is decoded once its signature is known."""

    document: dict[str, Any]
    signature_name: str
    """What the request names, "" for the default."""

    @property
    def by_row(self) -> bool:
        """Whether the request is in row form, and so is to be answered in it."""
        return "instances" in self.document

    def decode(self, signature: Signature) -> dict[str, Tensor]:
        """Return arrays by input alias. Raises StatusError."""
        if not signature.inputs:
            name = self.signature_name or "DEFAULT"
            raise _invalid(f"Failed to get input map for signature: {name}")
        inputs = self.document.get("inputs", _MISSING)
        if self.by_row:
            if inputs is not _MISSING:
                raise self._wrong(
                    "Not formatted correctly expecting only one of 'inputs' or 'instances' "
                    "keys to exist "
                )
            return decode_instances(self._instances(), signature)
        if inputs is _MISSING:
            raise _invalid("Missing 'inputs' or 'instances' key")
        return decode_inputs(inputs, signature)

    def _instances(self) -> list[Any]:
        instances = self.document["instances"]
        if not isinstance(instances, list):
            raise self._wrong("Expecting 'instances' to be an list/array")
        if not instances:
            raise self._wrong("No values in 'instances' array")
        return instances

    def _wrong(self, text: str) -> StatusError:
        return _invalid(f"JSON Value: {json_text(self.document)} {text}")


def parse_request(body: bytes) -> PredictRequest:
    """Return a predict request parsed. Raises StatusError: INVALID_ARGUMENT."""
    document = parse_json(body)
    if not isinstance(document, dict):
        raise _invalid(f"JSON Value: {json_text(document)} Is not object")
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _invalid(
            f"JSON Value: {json_text(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return PredictRequest(document, name)


def _invalid(text: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, text)
