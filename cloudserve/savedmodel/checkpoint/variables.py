"""Completeness of the variables: `variables.index` states the bytes of its data shards.

The index is a table of `BundleEntryProto` by tensor name, with a `BundleHeaderProto` under the
empty key (tensorflow/core/protobuf/tensor_bundle.proto). No tensor is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checkpoint.sstable import read_table
from cloudserve.savedmodel.files import file_size, is_file, read_file

INDEX = "variables/variables.index"
COPY_AGAIN = "copy or export the SavedModel again: the copy is incomplete"
_HEADER_KEY = b""


@dataclass(frozen=True, slots=True)
class Index:
    """The contents of an index: the number of shards, and the bytes required of each used one."""

    shards: int
    needed: Mapping[int, int]

    def file_name(self, shard: int) -> str:
        """Return a shard's path in the SavedModel (tensorflow/core/util/tensor_bundle/naming.h)."""
        return f"variables/variables.data-{shard:05d}-of-{self.shards:05d}"


def read_index(data: bytes) -> Index:
    """Parse a `variables.index`. Raises ValueError if it is damaged or truncated."""
    shards = 0
    needed: dict[int, int] = {}
    for key, value in read_table(data):
        if key == _HEADER_KEY:
            shards = _parse(proto.BundleHeaderProto, value).num_shards
            continue
        entry = _parse(proto.BundleEntryProto, value)
        end = entry.offset + entry.size
        needed[entry.shard_id] = max(needed.get(entry.shard_id, 0), end)
    if shards < 1 or not all(0 <= shard < shards for shard in needed):
        raise ValueError(f"it states {shards} shards and uses {sorted(needed)}")
    return Index(shards, {shard: size for shard, size in needed.items() if size > 0})


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a SavedModel's variables."""

    dtype: int
    """The number of its `DataType`."""
    shape: tuple[int, ...]


def stored_tensors(path: Path) -> Mapping[str, StoredTensor]:
    """Return the tensors in a SavedModel's variables, which are complete, by name."""
    entries = {
        key.decode("utf-8", "replace"): _parse(proto.BundleEntryProto, value)
        for key, value in read_table(read_file(path, INDEX))
        if key != _HEADER_KEY
    }
    return {
        name: StoredTensor(entry.dtype, tuple(dim.size for dim in entry.shape.dim))
        for name, entry in entries.items()
    }


def check_variables(path: Path) -> bool:
    """Return whether the SavedModel has variables, after checking that they are complete.

    Raises ModelError if the index is damaged, or a shard is missing or too short.
    """
    if not is_file(path / INDEX):
        return False
    try:
        index = read_index(read_file(path, INDEX))
    except ValueError as error:
        message = f"{INDEX} is damaged or truncated: {error}"
        raise ModelError(message, where=str(path), hint=COPY_AGAIN) from error
    problems = list(_shard_problems(path, index))
    if problems:
        raise ModelError("; ".join(problems), where=str(path), hint=COPY_AGAIN)
    return True


def check_no_shards(path: Path) -> None:
    """Raise ModelError for shards without an index: the copy is not complete."""
    if next(path.glob("variables/variables.data-*"), None) is not None:
        message = f"{INDEX} is missing: variables/ has the shards alone"
        raise ModelError(message, where=str(path), hint=COPY_AGAIN)


def _shard_problems(path: Path, index: Index) -> Iterator[str]:
    for shard, needed in sorted(index.needed.items()):
        name = index.file_name(shard)
        size = file_size(path / name)
        if size is None:
            yield f"{name} is missing"
        elif size < needed:
            yield f"{name} is truncated: {size} of {needed} bytes"


def _parse(message: proto.Message, value: bytes) -> proto.Message:
    try:
        return proto.parse(message, value)
    except proto.DecodeError as error:
        raise ValueError("an entry is not a protobuf") from error
