"""Instances of a batch prediction, read from files and shaped for the model.

Source: InputConfig, InstanceConfig of aiplatform v1; the record format of TFRecord files
(tensorflow/core/lib/io/record_writer.h): length, its masked CRC-32C, data, its masked CRC-32C.
"""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from cloudserve.errors import CloudserveError

from ....codecs.tfrecord import masked_crc32c

_LARGEST_RECORD = 2**30


class InstanceError(CloudserveError):
    """A record that is not a valid instance; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance from one record: JSON for the model, and its identification in the output."""

    sent: bytes
    label: bytes
    """`"instance":…` or `"key":…`, as JSON members."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The conversion of records to instances (InstanceConfig)."""

    kind: str = ""
    key: str = ""
    included: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape:
        """Return the conversion in an InstanceConfig; raises ValueError for an invalid one."""
        kind = config.get("instanceType", "")
        included, excluded = config.get("includedFields", []), config.get("excludedFields", [])
        if kind not in {"", "object", "array"}:
            raise ValueError(f'instance_type "{kind}" is neither "object" nor "array"')
        if included and excluded:
            raise ValueError("included_fields and excluded_fields cannot both be set")
        return cls(kind, config.get("keyField", ""), tuple(included), frozenset(excluded))

    def instance(self, record: bytes) -> Instance:
        """Return the instance in a JSON record; raises InstanceError."""
        value = _json(record)
        if not (self.kind or self.key or self.included or self.excluded):
            return Instance(record, b'"instance":' + record)
        if not isinstance(value, dict):
            return self._of_plain(value, record)
        label = b'"instance":' + record
        if self.key:
            label = b'"key":' + msgspec.json.encode(_field(value, self.key))
        return Instance(msgspec.json.encode(self._chosen(value)), label)

    def _of_plain(self, value: Any, record: bytes) -> Instance:
        if self.kind == "array" and isinstance(value, list) and not self._picks_fields:
            return Instance(record, b'"instance":' + record)
        raise InstanceError("The instance is not a JSON object, which instance_config requires.")

    @property
    def _picks_fields(self) -> bool:
        return bool(self.key or self.included or self.excluded)

    def _chosen(self, value: Mapping[str, Any]) -> dict[str, Any] | list[Any]:
        if self.included:
            chosen = {name: _field(value, name) for name in self.included}
        else:
            dropped = self.excluded | {self.key}
            chosen = {name: item for name, item in value.items() if name not in dropped}
        if self.kind != "array":
            return chosen
        if not self.included:
            raise InstanceError("An object becomes an array only with included_fields.")
        return list(chosen.values())


def _json(record: bytes) -> Any:
    try:
        return msgspec.json.decode(record)
    except (ValueError, RecursionError) as error:
        raise InstanceError(f"The instance is not JSON: {error}") from error


def _field(value: Mapping[str, Any], name: str) -> Any:
    if name not in value:
        raise InstanceError(f'The instance has no field "{name}".')
    return value[name]


Reader = Callable[[Path], Iterator[bytes]]
"""Yields the records of a file as JSON; raises InstanceError for a truncated file."""


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield line.strip()


def _tf_records(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _as_base64(file)


def _tf_records_gzip(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) as file:
            yield from _as_base64(cast(BinaryIO, file))
    except (EOFError, gzip.BadGzipFile) as error:
        raise InstanceError(f"The file is not gzip, or is truncated: {error}") from error


def _as_base64(file: BinaryIO) -> Iterator[bytes]:
    for record in read_tf_records(file):
        yield b'{"b64":"' + base64.b64encode(record) + b'"}'


READERS: Mapping[str, Reader] = {
    "jsonl": _lines,
    "tf-record": _tf_records,
    "tf-record-gzip": _tf_records_gzip,
}
"""Supported instance formats."""


def read_tf_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a TFRecord file; raises InstanceError where it is damaged."""
    while head := file.read(8):
        (length,) = struct.unpack("<Q", _whole(head, 8))
        _check(head, _whole(file.read(4), 4))
        if length > _LARGEST_RECORD:
            raise InstanceError(f"A record of {length} bytes is larger than {_LARGEST_RECORD}.")
        data = _whole(file.read(length), length)
        _check(data, _whole(file.read(4), 4))
        yield data


def _whole(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise InstanceError("The TFRecord file is truncated within a record.")
    return data


def _check(data: bytes, checksum: bytes) -> None:
    if checksum != masked_crc32c(data):
        raise InstanceError("The TFRecord file is damaged: a checksum does not match.")


def batches(records: Iterator[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """Yield records in lists of up to `size`."""
    batch: list[bytes] = []
    for record in records:
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
