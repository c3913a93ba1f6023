"""Serialized `tf.Example`s of mappings.

Source: tensorflow/core/example/{example,feature}.proto. Numbers are written as TensorFlow's own
Python writes them, packed; a test compares them with TensorFlow's parser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool

from cloudserve.client.payloads.strings import as_bytes
from cloudserve.errors import UserError
from cloudserve.protos import declare, message_class

_MESSAGES = {
    "Example": ("Features features = 1",),
    "Features": ("map Feature feature = 1",),
    "Feature": (
        "BytesList bytes_list = 1 in kind",
        "FloatList float_list = 2 in kind",
        "Int64List int64_list = 3 in kind",
    ),
    "BytesList": ("repeated bytes value = 1",),
    "FloatList": ("repeated float value = 1",),
    "Int64List": ("repeated int64 value = 1",),
}
_INT64 = range(-(2**63), 2**63)


def example(features: Mapping[str, Any]) -> bytes:
    """Return a serialized `tf.Example` of features: numbers, texts, bytes, or lists of one kind.

    Whole numbers and booleans become an `Int64List`, other numbers a `FloatList`, texts (UTF-8) and
    bytes a `BytesList`; None is a feature without values. Raises UserError for other values.
    """
    message = _class()()
    for name, value in features.items():
        try:
            _fill(message.features.feature[name], name, value)
        except (UnicodeEncodeError, OverflowError) as error:
            raise _wrong(repr(name)[1:-1], f"a value that it cannot hold: {error}") from error
    message.features.SetInParent()
    data: bytes = message.SerializeToString(deterministic=True)
    return data


@cache
def _class() -> Any:
    pool = DescriptorPool()
    declare(pool, "cloudserve.example", _MESSAGES)
    return message_class(pool, "cloudserve.example.Example")


def _fill(feature: Any, name: str, value: Any) -> None:
    values = _listed(value)
    if not values:
        feature.SetInParent()
    elif all(isinstance(each, str | bytes) for each in values):
        feature.bytes_list.value.extend(map(as_bytes, values))
    elif all(isinstance(each, int) for each in values):  # bool is one
        if any(each not in _INT64 for each in values):
            raise _wrong(name, "a whole number beyond 64 bits")
        feature.int64_list.value.extend(map(int, values))
    elif all(isinstance(each, int | float) for each in values):
        feature.float_list.value.extend(values)
    else:
        kinds = sorted({type(each).__name__ for each in values})
        raise _wrong(name, f"values of type {', '.join(kinds)}")


def _listed(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    value = value.tolist() if hasattr(value, "tolist") else value
    return value if isinstance(value, list | tuple) else (value,)


def _wrong(name: str, value: str) -> UserError:
    return UserError(
        f"the feature `{name}` has {value}",
        where="the tf.Example",
        hint="give numbers, texts, bytes, or a list of one of them",
    )
