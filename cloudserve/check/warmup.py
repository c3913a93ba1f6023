"""Rules on warm-up records: requests that a server runs before it serves a version.

A record that fails makes the load fail. Sources: tensorflow_serving/servables/tensorflow/
saved_model_warmup.cc and saved_model_warmup_util.cc; apis/prediction_log.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from cloudserve import protos
from cloudserve.check.finding import Finding, Severity
from cloudserve.check.subject import Rule, Subject
from cloudserve.errors import ModelError
from cloudserve.hints import printable
from cloudserve.plural import counted
from cloudserve.savedmodel.checkpoint.checksums import Extend, unmasked
from cloudserve.savedmodel.checks.contract import DEFAULT_SIGNATURE
from cloudserve.savedmodel.files import UNREADABLE, is_file
from cloudserve.savedmodel.signature import Signature

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MOST_WARMUP_RECORDS = 1000
"""The limit of TensorFlow Serving (saved_model_warmup_util.h)."""

_PACKAGE = "cloudserve.warmup"
_MESSAGES = {
    "ModelSpec": ("string signature_name = 3",),
    "Predict": ("ModelSpec model_spec = 1", "map bytes inputs = 2"),
    "Examples": ("ModelSpec model_spec = 1",),
    "Tasks": ("repeated Examples tasks = 1",),
    "PredictLog": ("Predict request = 1",),
    "ExamplesLog": ("Examples request = 1",),
    "TasksLog": ("Tasks request = 1",),
    "PredictionLog": (
        "ExamplesLog classify_log = 2 in log_type",
        "ExamplesLog regress_log = 3 in log_type",
        "PredictLog predict_log = 6 in log_type",
        "TasksLog multi_inference_log = 4 in log_type",
    ),
}
"""The fields of prediction_log.proto that name parts of the model."""
_AGAIN = "write it again: `cloudserve golden warmup`"


class _RecordsError(Exception):
    """A file that is not one of whole TFRecords."""


def warmup_records(subject: Subject) -> Iterator[Finding]:
    """Find warm-up files that make TensorFlow Serving's load fail."""
    path = subject.model.path / WARMUP_FILE
    if not is_file(path):
        return
    try:
        with path.open("rb") as file:
            fault = _fault(file, path.stat().st_size, subject)
    except OSError as error:
        message = f"{WARMUP_FILE} cannot be read: {error.strerror}"
        raise ModelError(message, where=str(path), hint=UNREADABLE) from error
    if fault:
        yield Finding(
            "warmup-records",
            Severity.ERROR,
            f"{WARMUP_FILE} {fault}",
            "TensorFlow Serving refuses to load the model",
            _AGAIN,
        )


def _fault(file: BinaryIO, end: int, subject: Subject) -> str:
    """Return what is wrong with a file, "" if nothing is."""
    try:
        for number, record in enumerate(_records(file, end, subject.extend)):
            if number == MOST_WARMUP_RECORDS:
                most = counted(MOST_WARMUP_RECORDS, "record")
                return f"has more than the {most} that a server takes"
            if fault := _record_fault(record, subject):
                return f"has a record, number {number + 1}, {fault}"
    except _RecordsError:
        return "is not a whole TFRecord file"
    return ""


def _records(file: BinaryIO, end: int, extend: Extend | None) -> Iterator[bytes]:
    """Yield the records; the checksums are compared if there is a function for them."""
    position = 0
    while len(head := file.read(12)) == 12:  # noqa: PLR2004 (a length, and its checksum)
        (size,) = struct.unpack_from("<Q", head)
        position += 12 + size + 4
        if position > end:
            raise _RecordsError
        record, checksum = file.read(size), file.read(4)
        for data, stored in ((head[:8], head[8:]), (record, checksum)):
            if extend and extend(0, data) != unmasked(int.from_bytes(stored, "little")):
                raise _RecordsError
        yield record


def _record_fault(record: bytes, subject: Subject) -> str:
    """Return what no request to the model may be; "" for a record that may be answered."""
    try:
        log = protos.message_class(_pool(), f"{_PACKAGE}.PredictionLog").FromString(record)
    except DecodeError:
        return "that is not a PredictionLog"
    kind = log.WhichOneof("log_type")
    if kind is None:
        return "of a kind that no server runs"
    request = getattr(log, kind).request
    for one in request.tasks if kind == "multi_inference_log" else (request,):
        name = one.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = next((s for s in subject.model.all_signatures if s.name == name), None)
        if signature is None:
            return f"for the signature {printable(name)}, which the model does not have"
        if kind == "predict_log" and (fault := _inputs_fault(set(one.inputs), signature)):
            return fault
    return ""


def _inputs_fault(given: set[str], signature: Signature) -> str:
    """Return the fault of the inputs of a Predict request (`PreProcessPrediction`)."""
    known = {spec.alias for spec in signature.inputs}
    if unknown := sorted(given - known):
        return f"with the input {printable(unknown[0])}, which {signature.name} does not have"
    if missing := sorted(known - given - set(signature.defaults)):
        return f"without the input {printable(missing[0])} of {signature.name}"
    return ""


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    protos.declare(pool, _PACKAGE, _MESSAGES)
    return pool


RULES: tuple[Rule, ...] = (warmup_records,)
