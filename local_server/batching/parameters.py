"""The batching parameters file: text form of `BatchingParameters`, checked with upstream's texts.

Source: tensorflow_serving/servables/tensorflow/session_bundle_config.proto for the fields,
tensorflow/core/kernels/batching_util/shared_batch_scheduler.h for defaults and limits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool

from cloudserve.protos import Message, declare, message_class

from ..config.textproto import parse_text_file
from ..runtime.types import LoadError
from ..status import Code, StatusError

_SERVER_POOL_NAME = "model_server_batch_threads"


def _cpus() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class BatchingParameters:
    """Batching parameters; sizes are rows, times are microseconds."""

    max_batch_size: int = 1000
    """The largest request and, without splitting, the largest batch."""
    batch_timeout_micros: int = 0
    """How long a batch may wait for more rows; 0 runs it as soon as a thread is free."""
    max_enqueued_batches: int = 10
    """How many batches of one signature may wait; 0 counts as 1."""
    num_batch_threads: int = field(default_factory=_cpus)
    """How many batches run in parallel, over all models."""
    thread_pool_name: str = "batch_threads"
    enable_large_batch_splitting: bool = False
    """Split a request that does not fit a batch over several batches."""
    max_execution_batch_size: int | None = None
    """The largest batch when splitting; None is `max_batch_size`."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """Sizes that batches are padded to; if empty, they are not padded."""
    pad_variable_length_inputs: bool = False
    """Pad all dimensions but the first to the largest in the batch."""

    @property
    def execution_limit(self) -> int:
        """Return the size of the largest batch."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size is not None:
            return self.max_execution_batch_size
        return self.max_batch_size


def default_parameters() -> BatchingParameters:
    """Return the parameters of a server without a file (model_servers/server.cc)."""
    return BatchingParameters(thread_pool_name=_SERVER_POOL_NAME)


def read_parameters(path: Path) -> BatchingParameters:
    """Read a batching parameters file.

    Raises StatusError as `parse_text_file` does: an unknown field is an error, and so is a number
    in place of `{ value: … }`.
    """
    return _to_parameters(parse_text_file(path, _MESSAGE))


def check_pool(parameters: BatchingParameters) -> None:
    """Refuse a pool without threads. Raises StatusError: the server does not start."""
    threads = parameters.num_batch_threads
    if threads < 1:
        text = f"num_batch_threads must be positive; was {threads}"
        raise StatusError(Code.INVALID_ARGUMENT, text)


def check_queues(parameters: BatchingParameters) -> None:
    """Refuse parameters that are invalid for a queue. Raises LoadError: the model does not load."""
    if error := next(_errors(parameters), None):
        raise LoadError(Code.INVALID_ARGUMENT, error)


def _errors(p: BatchingParameters) -> Iterator[str]:
    """Yield errors in the order of upstream's checks."""
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


# Fields by number: a wrapper message distinguishes 0 from absent; its text is `{ value: N }`.
_PACKAGE = "tensorflow.serving"
_WRAPPED = {
    "max_batch_size": "Int64Value max_batch_size = 1",
    "batch_timeout_micros": "Int64Value batch_timeout_micros = 2",
    "max_enqueued_batches": "Int64Value max_enqueued_batches = 3",
    "num_batch_threads": "Int64Value num_batch_threads = 4",
    "thread_pool_name": "StringValue thread_pool_name = 5",
    "enable_large_batch_splitting": "BoolValue enable_large_batch_splitting = 8",
    "max_execution_batch_size": "Int64Value max_execution_batch_size = 9",
}
_MESSAGES = {
    "Int64Value": ("int64 value = 1",),
    "BoolValue": ("bool value = 1",),
    "StringValue": ("string value = 1",),
    "BatchingParameters": (
        *_WRAPPED.values(),
        "repeated int64 allowed_batch_sizes = 6",
        "bool pad_variable_length_inputs = 7",
    ),
}


def _make_class() -> Message:
    pool = DescriptorPool()
    declare(pool, _PACKAGE, _MESSAGES)
    return message_class(pool, f"{_PACKAGE}.BatchingParameters")


_MESSAGE = _make_class()


def _to_parameters(message: Any) -> BatchingParameters:
    return BatchingParameters(**dict(_fields(message)))


def _fields(message: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields that the message has, by the names of BatchingParameters."""
    for name in _WRAPPED:
        if message.HasField(name):
            yield name, getattr(message, name).value
    yield "allowed_batch_sizes", tuple(message.allowed_batch_sizes)
    yield "pad_variable_length_inputs", message.pad_variable_length_inputs
