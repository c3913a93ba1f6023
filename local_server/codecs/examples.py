"""Classify and regress requests: JSON examples as serialized `tf.Example`s.

A feature's values decide its kind: integers and booleans make an int64_list, numbers with a point
or an exponent a float_list, strings and base64 objects a bytes_list. The model's signature is not
considered, as in TensorFlow Serving.
Source: tensorflow_serving/util/json_tensor.cc (`FillClassifyRegressRequestFromJson`);
tensorflow/core/example/{example,feature}.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloudserve.savedmodel.varint import write_varint

from ..status import Code, StatusError, invalid_argument
from .json.reader import parse_exactly, parse_json
from .json.text import json_text, type_name
from .large.document import Document, Node, Run
from .large.outline import DeepError, read_outline
from .limits import DEFAULT_LIMITS, JsonLimits
from .request import WHOLE_BYTES, signature_name
from .room import EXAMPLE_BYTES, Room
from .tensors import decode_string, is_base64

_KEYS = ("examples", "context", "signature_name")
_MOST_INT64 = 2**63 - 1
_TWO_TO_64 = 2**64


@dataclass(frozen=True, slots=True)
class ExamplesRequest:
    """A classify or regress request: one serialized Example for each it names."""

    examples: Sequence[bytes]
    signature_name: str
    """The requested signature, or "" for the default."""


def parse_examples(body: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> ExamplesRequest:
    """Return a classify or regress request parsed.

    Raises StatusError: INVALID_ARGUMENT, or RESOURCE_EXHAUSTED for too many Examples.
    """
    if len(body) <= WHOLE_BYTES:
        return _encode_request(parse_json(body, limits))
    try:
        document = read_outline(body, limits, first_counts=False)
    except DeepError:
        return _encode_request(parse_exactly(body, limits=limits))
    return _encode_large(document)


def _encode_request(document: Any) -> ExamplesRequest:
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {json_text(document)} Is not object")
    name = signature_name(document)
    # Concatenated serialized messages merge when they are parsed.
    context = encode_example(document["context"]) if "context" in document else b""
    listed = _examples(document)
    check_examples(len(listed), len(context))
    return ExamplesRequest([context + encode_example(example) for example in listed], name)


def _encode_large(document: Document) -> ExamplesRequest:
    """Encode the examples of a large request run by run."""
    shown = document.shown(document.root)
    if not isinstance(shown, dict):
        raise invalid_argument(f"JSON Value: {json_text(shown)} Is not object")
    members = document.find(_KEYS)
    shown |= {name: document.shown(value) for name, value in members.items()}
    name = signature_name(shown)
    context = encode_example(document.value(members["context"])) if "context" in members else b""
    listed_examples = _examples(shown)
    listed = members["examples"]
    if not isinstance(listed, Node):
        check_examples(len(listed_examples), len(context))
        return ExamplesRequest(
            [context + encode_example(example) for example in listed_examples], name
        )
    check_examples(listed.count, len(context))
    examples: list[bytes] = []
    for item in listed.items:
        values = document.values(listed, item) if isinstance(item, Run) else [item[1]]
        examples += [context + encode_example(document.value(value)) for value in values]
    return ExamplesRequest(examples, name)


def check_examples(count: int, context_size: int) -> None:
    """Refuse `count` Examples that each hold a context of `context_size` bytes, if too large.

    Raises StatusError: RESOURCE_EXHAUSTED.
    """
    if not Room().take(count * (EXAMPLE_BYTES + context_size)):
        text = f"{count} examples with a context of {context_size} bytes each take too much memory"
        raise StatusError(Code.RESOURCE_EXHAUSTED, text)


def encode_example(features: Any) -> bytes:
    """Return an object of features, each a value or a list of them, as a serialized Example."""
    if not isinstance(features, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(features)}")
    entries = (_encode_entry(name, value) for name, value in features.items())
    return _field(1, b"".join(entries))


def _examples(document: dict[str, Any]) -> list[Any]:
    if "examples" not in document:
        # The text is the same for regress.
        text = "When method is classify, key 'examples' is expected and was not found"
        raise invalid_argument(f"JSON Value: {json_text(document)} {text}")
    examples = document["examples"]
    if not isinstance(examples, list):
        text = "Expecting 'examples' value to be an list/array"
        raise invalid_argument(f"JSON Value: {json_text(document)} {text}")
    if not examples:
        raise invalid_argument(
            f"JSON Value: {json_text(document)} 'examples' value is an empty array"
        )
    return examples


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of Feature: its word in error texts, its field, and the encoder of its values."""

    word: str
    number: int
    encode: Callable[[Iterable[Any]], bytes]


def _encode_entry(name: str, value: Any) -> bytes:
    """Return a feature as an entry of `Features.feature`, a map."""
    values = value if isinstance(value, list) else [value]
    kind = _kind_of_all(name, values)
    # A feature without values has no kind: the model sees it as missing.
    feature = b"" if kind is None else _field(kind.number, kind.encode(values))
    key = name.encode("utf-8", "surrogateescape")
    return _field(1, _field(1, key) + _field(2, feature))


def _kind_of_all(name: str, values: list[Any]) -> _Kind | None:
    """Return the kind of a feature's values. Refuses the first of another or no kind."""
    first = None
    for value in values:
        kind = _kind_of(value)
        if kind is None:
            text = f"has element with unexpected JSON type: {type_name(value)}"
            raise invalid_argument(f"Feature: {name} {text}")
        first = first or kind
        if kind is not first:
            raise invalid_argument(
                f"Unexpected element type in feature: {name} expecting type: {first.word}"
            )
        if kind is _INT64 and value > _MOST_INT64:
            raise invalid_argument(
                f"Feature: {name} has uint64_t element. Only int64_t is supported."
            )
    return first


def _kind_of(value: Any) -> _Kind | None:
    if is_base64(value):
        return _BYTES
    return _KINDS.get(type(value))


def _encode_bytes(values: Iterable[Any]) -> bytes:
    return b"".join(_field(1, decode_string(value)) for value in values)


def _encode_floats(values: Iterable[Any]) -> bytes:
    with np.errstate(over="ignore", under="ignore"):
        return _field(1, np.array(values, np.float64).astype("<f4").tobytes())


def _encode_integers(values: Iterable[Any]) -> bytes:
    return _field(1, b"".join(write_varint(value % _TWO_TO_64) for value in values))


_BYTES = _Kind("bytes", 1, _encode_bytes)
_FLOAT = _Kind("float", 2, _encode_floats)
_INT64 = _Kind("int64", 3, _encode_integers)
_KINDS = {str: _BYTES, float: _FLOAT, int: _INT64, bool: _INT64}


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of a protobuf message."""
    return b"%c%b%b" % (number << 3 | 2, write_varint(len(content)), content)
