"""The batching parameters file: text form of `BatchingParameters`, checked in upstream's words.

Source: tensorflow_serving/servables/tensorflow/session_bundle_config.proto for the fields,
tensorflow/core/kernels/batching_util/shared_batch_scheduler.h for defaults and limits. The message
lives in a descriptor pool of its own, beside whatever TensorFlow registers in the default one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from ..config.textproto import parse_text_file
from ..runtime.types import LoadError
from ..status import Code, StatusError

_SERVER_POOL_NAME = "model_server_batch_threads"


def _cpus() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class BatchingParameters:
    """How requests are put together; sizes are rows, times microseconds."""

    max_batch_size: int = 1000
    """The largest request, and without splitting the largest batch."""
    batch_timeout_micros: int = 0
    """How long a batch may wait for more rows; 0 runs what is there as soon as a thread is free."""
    max_enqueued_batches: int = 10
    """How many batches of one signature may wait; 0 counts as 1."""
    num_batch_threads: int = field(default_factory=_cpus)
    """How many batches run at once, over all models."""
    thread_pool_name: str = "batch_threads"
    enable_large_batch_splitting: bool = False
    """Spread a request over several batches where it does not fit one."""
    max_execution_batch_size: int | None = None
    """The largest batch when splitting; None is `max_batch_size`."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """Sizes that batches are padded to; empty leaves them as they are."""
    pad_variable_length_inputs: bool = False
    """Pad the dimensions behind the first to the largest in the batch."""

    @property
    def execution_limit(self) -> int:
        """Return the size of the largest batch."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size is not None:
            return self.max_execution_batch_size
        return self.max_batch_size


def default_parameters() -> BatchingParameters:
    """Return what a server batches by that was given no file (model_servers/server.cc)."""
    return BatchingParameters(thread_pool_name=_SERVER_POOL_NAME)


def read_parameters(path: Path) -> BatchingParameters:
    """Read a batching parameters file.

    Raises StatusError as `parse_text_file` does: a field that the message does not have is an
    error, and so is a number where `{ value: … }` belongs.
    """
    return _to_parameters(parse_text_file(path, _MESSAGE))


def parse_parameters(text: str) -> BatchingParameters:
    """Parse the text form. Raises google.protobuf.text_format.ParseError."""
    return _to_parameters(text_format.Parse(text, _MESSAGE()))


def check_pool(parameters: BatchingParameters) -> None:
    """Refuse a pool of no threads. Raises StatusError: the server does not start."""
    threads = parameters.num_batch_threads
    if threads < 1:
        text = f"num_batch_threads must be positive; was {threads}"
        raise StatusError(Code.INVALID_ARGUMENT, text)


def check_queues(parameters: BatchingParameters) -> None:
    """Refuse parameters that no queue can keep. Raises LoadError: the model does not load."""
    if error := next(_errors(parameters), None):
        raise LoadError(Code.INVALID_ARGUMENT, error)


def _errors(p: BatchingParameters) -> Iterator[str]:
    """Yield what is wrong, in the order upstream looks at it."""
    allowed = p.allowed_batch_sizes
    if allowed and allowed[-1] != p.max_batch_size:
        yield (
            "Last entry in allowed_batch_sizes must match max_batch_size; "
            f"last entry was {allowed[-1]}; expected {p.max_batch_size}"
        )
    if any(a >= b for a, b in pairwise(allowed)):
        yield "allowed_batch_sizes entries must be monotonically increasing"
    if p.max_batch_size < 1:
        yield f"max_batch_size must be positive; was {p.max_batch_size}"
    if p.execution_limit < 1:
        yield f"max_execution_batch_size must be positive; was {p.execution_limit}"
    if p.batch_timeout_micros < 0:
        yield f"batch_timeout_micros must be non-negative; was {p.batch_timeout_micros}"
    if p.max_enqueued_batches < 0:
        yield f"max_enqueued_batches must be non-negative; was {p.max_enqueued_batches}"
    if p.max_batch_size < p.execution_limit:
        yield (
            "When enable_large_batch_splitting is true, input_batch_size_limit must be "
            "greater than or equal to max_execution_batch_size."
        )


# Fields by number: a wrapper message tells 0 from absent, and its text form is `{ value: N }`.
_WRAPPERS = {"Int64Value": "TYPE_INT64", "BoolValue": "TYPE_BOOL", "StringValue": "TYPE_STRING"}
_FIELDS = {
    "max_batch_size": (1, "Int64Value"),
    "batch_timeout_micros": (2, "Int64Value"),
    "max_enqueued_batches": (3, "Int64Value"),
    "num_batch_threads": (4, "Int64Value"),
    "thread_pool_name": (5, "StringValue"),
    "enable_large_batch_splitting": (8, "BoolValue"),
    "max_execution_batch_size": (9, "Int64Value"),
}
_PLAIN = """
  field { name: "allowed_batch_sizes" number: 6 label: LABEL_REPEATED type: TYPE_INT64 }
  field { name: "pad_variable_length_inputs" number: 7 label: LABEL_OPTIONAL type: TYPE_BOOL }
"""


def _to_parameters(message: Any) -> BatchingParameters:
    return BatchingParameters(**dict(_given(message)))


def _given(message: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields that the message has, by the names of BatchingParameters."""
    for name in _FIELDS:
        if message.HasField(name):
            yield name, getattr(message, name).value
    yield "allowed_batch_sizes", tuple(message.allowed_batch_sizes)
    yield "pad_variable_length_inputs", message.pad_variable_length_inputs


def _file(name: str, package: str, messages: str) -> descriptor_pb2.FileDescriptorProto:
    head = f'name: "cloudserve/{name}.proto" package: "{package}" syntax: "proto3"'
    return text_format.Parse(f"{head} {messages}", descriptor_pb2.FileDescriptorProto())


def _wrappers() -> str:
    return "".join(
        f'message_type {{ name: "{name}" field {{ name: "value" number: 1 '
        f"label: LABEL_OPTIONAL type: {kind} }} }}"
        for name, kind in _WRAPPERS.items()
    )


def _message() -> str:
    wrapped = "".join(
        f'field {{ name: "{name}" number: {number} label: LABEL_OPTIONAL '
        f'type: TYPE_MESSAGE type_name: ".google.protobuf.{kind}" }}'
        for name, (number, kind) in _FIELDS.items()
    )
    return f'message_type {{ name: "BatchingParameters" {wrapped} {_PLAIN} }}'


def _make_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    wrappers = _file("wrappers", "google.protobuf", _wrappers())
    pool.Add(wrappers)
    file = _file("batching_parameters", "tensorflow.serving", _message())
    file.dependency.append(wrappers.name)
    pool.Add(file)
    name = "tensorflow.serving.BatchingParameters"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


_MESSAGE = _make_class()
