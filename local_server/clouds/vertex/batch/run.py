"""One run of a batch prediction: files of instances in, files of results and errors out.

Each input file yields a file `prediction.results-00000-of-0000N` and a file
`prediction.errors_stats-…`, with lines of JSON: `{"instance":…,"prediction":…}`,
and `{"instance":…,"error":{"status":…,"message":…}}` for failures. If the model refuses a request,
every instance in it fails, as on the service.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ....status import Code, StatusError
from ...google.common.discovery import snake
from ...google.common.errors import ApiError
from ...model_hosting import Source
from ...objects.store.blobs import BlobWriter
from ...objects.store.errors import NoSuchBucketError
from ...objects.store.store import ObjectStore
from ...objects.store.types import ObjectInfo, ObjectProperties
from ..artifacts import source_of
from ..records import invalid
from .answers import Answer
from .instances import READERS, Instance, InstanceError, Shape, batches
from .tables import Files, Rows, lines
from .wildcards import literal_start, matches

_FORMATS = (*READERS, "csv", "file-list")
_ELSEWHERE = {
    "bigquerySource": "BigQuery tables",
    "bigqueryDestination": "BigQuery tables",
    "vertexMultimodalDatasetSource": "datasets",
    "vertexMultimodalDatasetDestination": "datasets",
}
_RECORDS = ("tf-record", "tf-record-gzip")
_CONFIGURED: Mapping[str, Sequence[str]] = {
    "csv": ("keyField",),
    "file-list": (),
    **dict.fromkeys(_RECORDS, ("keyField", "includedFields", "excludedFields")),
}
"""Formats -> the fields of an InstanceConfig that apply to them; all apply to others."""
_DEFAULT_BATCH = 64
_MOST_FAILURES = 20
_PROPERTIES = ObjectProperties(content_type="application/octet-stream")


@dataclass(slots=True)
class Totals:
    """The counts of a job so far."""

    succeeded: int = 0
    failed: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, count: int, code: Code, message: str) -> None:
        """Count failed instances, and keep the first reasons."""
        self.failed += count
        if len(self.failures) < _MOST_FAILURES:
            self.failures.append({"code": int(code), "message": message})


@dataclass(frozen=True, slots=True)
class Plan:
    """The input, format and output of a job."""

    uris: tuple[str, ...]
    format: str
    shape: Shape
    batch_size: int
    parameters: Any
    output: Source

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Plan:
        """Return a job's plan; raises ApiError for an invalid job."""
        source, target = job.get("inputConfig", {}), job.get("outputConfig", {})
        _check_places(source, target)
        instances = _available("instances_format", source.get("instancesFormat", ""), _FORMATS)
        _available("predictions_format", target.get("predictionsFormat", ""), ("jsonl",))
        uris = tuple(source.get("gcsSource", {}).get("uris", ()))
        if not uris:
            raise invalid("The field `input_config.gcs_source.uris` is required.")
        for uri in uris:
            source_of(uri, "input_config.gcs_source.uris")
        prefix = target.get("gcsDestination", {}).get("outputUriPrefix", "")
        config = job.get("instanceConfig", {})
        _check_config(instances, config)
        try:
            shape = Shape.of(config)
        except ValueError as error:
            raise invalid(f"Invalid instance_config: {error}.") from error
        size = job.get("manualBatchTuningParameters", {}).get("batchSize", 0)
        if size < 0:
            raise invalid("The field `batch_size` must not be negative.")
        return cls(
            uris=uris,
            format=instances,
            shape=shape,
            batch_size=size or _DEFAULT_BATCH,
            parameters=job.get("modelParameters"),
            output=source_of(prefix, "output_config.gcs_destination.output_uri_prefix"),
        )


def _check_places(source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Refuse inputs and outputs that are not in Cloud Storage."""
    for where, config in (("input_config", source), ("output_config", target)):
        for name in sorted(config.keys() & _ELSEWHERE.keys()):
            text = (
                f"{where}.{snake(name)} is not available offline: there are no {_ELSEWHERE[name]}."
            )
            raise ApiError(Code.UNIMPLEMENTED, text)


def _check_config(kind: str, config: Mapping[str, Any]) -> None:
    """Refuse fields of an InstanceConfig that do not apply to a format, by its description.

    That the service refuses them is our reading.
    """
    fields = sorted(name for name, value in config.items() if value)
    for name in fields:
        if name not in _CONFIGURED.get(kind, fields):
            raise invalid(
                f'instance_config.{snake(name)} does not apply to instances_format "{kind}".'
            )
    if fields and kind in _RECORDS:
        text = f"instance_config.{snake(fields[0])} of TFRecord files is not available offline."
        raise ApiError(Code.UNIMPLEMENTED, text)


def _available(field_name: str, value: str, here: Sequence[str] | Mapping[str, object]) -> str:
    if not value:
        raise invalid(f"The field `{field_name}` is required.")
    if value not in here:
        known = {"jsonl", "csv", "bigquery", "tf-record", "tf-record-gzip", "file-list"}
        if value in known:
            raise ApiError(Code.UNIMPLEMENTED, f'{field_name} "{value}" is not available offline.')
        raise invalid(f'"{value}" is not valid for `{field_name}`.')
    return value


class _Shape(Protocol):
    """Makes instances of records."""

    def instance(self, record: bytes) -> Instance:
        """Return the instance in a record; raises InstanceError."""
        ...


class Stopped(Exception):  # noqa: N818 - not an error: a client asked for it
    """The job was stopped."""


class Run:
    """One run of a job. Blocks; `stop` ends it from another thread."""

    def __init__(self, store: ObjectStore, answer: Answer, plan: Plan) -> None:
        self._store = store
        self._answer = answer
        self._plan = plan
        self._stopping = threading.Event()
        self.totals = Totals()

    def stop(self) -> None:
        """End the run with Stopped before its next batch."""
        self._stopping.set()

    def __call__(self, folder: str) -> None:
        """Predict every instance; the output's files appear below `folder` of its bucket.

        Raises ApiError for a missing input or bucket, Stopped after `stop`.
        """
        inputs = [info for uri in self._plan.uris for info in self._files(uri)]
        for index, info in enumerate(inputs):
            self._predict_file(info, folder, f"-{index:05d}-of-{len(inputs):05d}")

    def _files(self, uri: str) -> list[ObjectInfo]:
        bucket, _, pattern = uri.removeprefix("gs://").partition("/")
        try:
            walked = self._store.walk(bucket, literal_start(pattern))
            files = [info for info in walked if not info.is_folder and matches(info.key, pattern)]
        except NoSuchBucketError:
            files = []
        if not files:
            raise ApiError(Code.NOT_FOUND, f"There is no file at the input {uri}.")
        return files

    def _predict_file(self, info: ObjectInfo, folder: str, part: str) -> None:
        with ExitStack() as stack:
            results = _Output(self._store, stack)
            errors = _Output(self._store, stack)
            self._predict_records(info, results, errors)
            bucket = self._plan.output.bucket
            results.put(bucket, f"{folder}/prediction.results{part}")
            errors.put(bucket, f"{folder}/prediction.errors_stats{part}")

    def _predict_records(self, info: ObjectInfo, results: _Output, errors: _Output) -> None:
        try:
            shape, records = self._read(self._store.path(info))
            for batch in batches(records, self._plan.batch_size):
                if self._stopping.is_set():
                    raise Stopped
                instances = list(self._instances(shape, batch, errors))
                self._predict_batch(instances, results, errors)
        except InstanceError as error:
            # The file is truncated: the records before the end count.
            text = f"gs://{info.bucket}/{info.key}: {error.message}"
            self.totals.fail(1, Code.INVALID_ARGUMENT, text)
            errors.write(_failed(b'"instance":null', Code.INVALID_ARGUMENT, text))

    def _read(self, path: Path) -> tuple[_Shape, Iterator[bytes]]:
        """Return the records of a file, and what makes instances of them; raises InstanceError."""
        match self._plan.format:
            case "csv":
                rows = lines(path)
                header = next(rows, b"").decode()
                return Rows.of(header, self._plan.shape.key), rows
            case "file-list":
                return Files(self._find), lines(path)
            case kind:
                return self._plan.shape, READERS[kind](path)

    def _find(self, uri: str) -> Path | None:
        bucket, _, key = uri.removeprefix("gs://").partition("/")
        try:
            info = self._store.find(bucket, key)
        except NoSuchBucketError:
            return None
        return None if info is None else self._store.path(info)

    def _instances(
        self, shape: _Shape, batch: Sequence[bytes], errors: _Output
    ) -> Iterator[Instance]:
        for record in batch:
            try:
                yield shape.instance(record)
            except InstanceError as error:
                self.totals.fail(1, Code.INVALID_ARGUMENT, error.message)
                label = b'"instance":' + msgspec.json.encode(record.decode("utf-8", "replace"))
                errors.write(_failed(label, Code.INVALID_ARGUMENT, error.message))

    def _predict_batch(self, batch: list[Instance], results: _Output, errors: _Output) -> None:
        if not batch:
            return
        try:
            answers = self._answer([instance.sent for instance in batch], self._plan.parameters)
        except StatusError as error:
            self.totals.fail(len(batch), error.code, error.message)
            for instance in batch:
                errors.write(_failed(instance.label, error.code, error.message))
            return
        self.totals.succeeded += len(batch)
        for instance, answer in zip(batch, answers, strict=True):
            results.write(b"{" + instance.label + b"," + answer + b"}\n")


def _failed(label: bytes, code: Code, message: str) -> bytes:
    error = msgspec.json.encode({"status": code.name, "message": message})
    return b"{" + label + b',"error":' + error + b"}\n"


class _Output:
    """A new object that is written line by line, and discarded unless it is put."""

    def __init__(self, store: ObjectStore, stack: ExitStack) -> None:
        self._store = store
        self._writer: BlobWriter = store.writer()
        stack.callback(self._writer.abort)

    def write(self, line: bytes) -> None:
        """Append a line."""
        self._writer.write(line)

    def put(self, bucket: str, key: str) -> None:
        """Store it as the object of this name; raises ApiError without the bucket."""
        try:
            self._store.put(bucket, key, self._writer.finish(), _PROPERTIES)
        except NoSuchBucketError as error:
            text = f"The output's bucket gs://{bucket} does not exist."
            raise ApiError(Code.NOT_FOUND, text) from error
