"""The messages of TensorFlow and of TensorFlow Serving's gRPC API, without either package.

The generated modules of `tensorflow_serving` import TensorFlow: 2 s and 300 MB of a server's start.
They register their names in protobuf's default pool, where a second registration is refused; the
messages here have a pool of their own, so that both may live in one process.

`descriptors.binpb` is a `FileDescriptorSet` that `tools/message_descriptors.py` writes; a test
compares it with the packages of the test environment.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

__all__ = ["Message", "message_class", "stored_descriptors"]

Message = Any
"""A message or message class: protobuf makes them at run time, beyond mypy's sight."""


# `cache` alone would let threads that load models at once make a pool each, of other classes.
_one_at_a_time = threading.Lock()


def message_class(name: str) -> Message:
    """Return the class of a message by its full name: `tensorflow.serving.PredictRequest`.

    Raises KeyError for a name that is not in the pool.
    """
    with _one_at_a_time:
        return _message_class(name)


@cache
def _message_class(name: str) -> Message:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in stored_descriptors().file:
        pool.Add(file)
    return pool


def stored_descriptors() -> FileDescriptorSet:
    """Return the files of the pool, each behind those that it imports."""
    return FileDescriptorSet.FromString(
        files(__package__).joinpath("descriptors.binpb").read_bytes()
    )
