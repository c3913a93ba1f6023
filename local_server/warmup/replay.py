"""The replay of a model's warm-up records.

Source: tensorflow_serving/servables/tensorflow/saved_model_warmup.cc, saved_model_warmup_util.cc;
tfserving.md 4.7. Records run one after the other, as with upstream's defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from google.protobuf.message import DecodeError

from cloudserve.savedmodel.signature import Signature

from ..codecs.tfrecord import RecordError, read_records
from ..inference import Inference, UnknownSignatureError
from ..inference.types import ModelSpec, Task
from ..messages import message_class
from ..models import Servable, VersionState
from ..protocols.tfserving.grpc.examples import read_examples
from ..protocols.tfserving.grpc.inputs import check_filter, read_inputs
from ..protocols.tfserving.grpc.spec import to_spec
from ..runtime.types import LoadedModel, Tensor
from ..status import Code, StatusError
from ..transport.grpc_types import Message

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
"""The path of the records in a version's folder."""

_MOST_RECORDS = 1000
# An unparsable record is quoted in the error, which clients see: its start is enough.
_LONGEST_QUOTE = 100
_UNNAMED = "warmup"
"""The name and version in a record are ignored; its signature is used."""


class WarmupObserver(Protocol):
    """Observes loads and warm-ups in the threads that load."""

    def loaded(self, path: Path, seconds: float, *, succeeded: bool) -> None:
        """A load has ended after `seconds`."""

    def warmed(self, path: Path, status: str, records: int, seconds: float) -> None:
        """A warm-up has ended after `records` records; the status is OK, or the error."""


class Replay:
    """Runs a model's records and counts them in `count`."""

    def __init__(self, model: LoadedModel, iterations: int = 1) -> None:
        # Everything runs in the loading thread: the executor is never used.
        self._inference = Inference(_OneModel(model), Executor())
        self._iterations = iterations
        self.count = 0

    def run(self, file: Path) -> None:
        """Run all records of a file.

        Raises StatusError: INVALID_ARGUMENT for an invalid record and for more than 1000, DATA_LOSS
        for a file that is not a TFRecord file, UNIMPLEMENTED for unsupported kinds of records, and
        the error of a failed request.
        """
        log = message_class("tensorflow.serving.PredictionLog")
        try:
            with file.open("rb") as opened:
                for record in read_records(opened):
                    self._run(_parse(log, record, file))
                    self._check_count(file)
        except RecordError as error:
            text = f"{error}. Please verify your warmup data is in TFRecord format."
            raise StatusError(Code.DATA_LOSS, text) from error

    def _check_count(self, file: Path) -> None:
        self.count += 1
        if self.count > _MOST_RECORDS:
            raise StatusError(
                Code.INVALID_ARGUMENT,
                f"Number of warmup records exceeds the maximum ({_MOST_RECORDS}) at {file}",
            )

    def _run(self, log: Message) -> None:
        for _ in range(self._iterations):
            match log.WhichOneof("log_type"):
                case "predict_log":
                    self._predict(log.predict_log.request)
                case "classify_log":
                    request = log.classify_log.request
                    self._inference.classify_here(_spec(request), read_examples(request))
                case "regress_log":
                    request = log.regress_log.request
                    self._inference.regress_here(_spec(request), read_examples(request))
                case "multi_inference_log":
                    self._infer(log.multi_inference_log.request)
                case kind:
                    raise _unsupported(log, kind)

    def _predict(self, request: Message) -> None:
        def decode(signature: Signature) -> Mapping[str, Tensor]:
            inputs = read_inputs(signature, request.inputs)
            check_filter(signature, request.output_filter)
            return inputs

        try:
            self._inference.predict_here(_spec(request), decode, tuple(request.output_filter))
        except UnknownSignatureError as error:
            text = f'Serving signature key "{error.signature}" not found.'
            raise StatusError(Code.FAILED_PRECONDITION, text) from error

    def _infer(self, request: Message) -> None:
        tasks = [Task(_spec(task), task.method_name) for task in request.tasks]
        self._inference.multi_inference_here(tasks, read_examples(request))


class _OneModel:
    """A model that is not in a manager yet (Servables)."""

    def __init__(self, model: LoadedModel) -> None:
        self._servable = Servable(_UNNAMED, 0, model)

    @contextmanager
    def handle(
        self,
        name: str,  # noqa: ARG002  there is only one model
        version: int | None = None,  # noqa: ARG002
        label: str | None = None,  # noqa: ARG002
    ) -> Iterator[Servable]:
        """Yield the model."""
        yield self._servable

    def states(self, name: str) -> tuple[VersionState, ...]:  # noqa: ARG002
        """Return (): the model has no states yet."""
        return ()


def _spec(request: Message) -> ModelSpec:
    return replace(to_spec(request.model_spec), name=_UNNAMED, version=None, label=None)


def _parse(message: Message, record: bytes, file: Path) -> Message:
    try:
        return message.FromString(record)
    except DecodeError as error:
        quote = record[:_LONGEST_QUOTE].decode("utf-8", "replace")
        text = f"Failed to parse warmup record: {quote} from {file}"
        raise StatusError(Code.INVALID_ARGUMENT, text) from error


def _unsupported(log: Message, kind: str | None) -> StatusError:
    number = log.DESCRIPTOR.fields_by_name[kind].number if kind else 0
    return StatusError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}")
