"""The replay of a model's warm-up records.

Source: tensorflow_serving/servables/tensorflow/saved_model_warmup.cc, saved_model_warmup_util.cc.
Records run one after the other, as with upstream's defaults.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, Self

from google.protobuf.message import DecodeError

from ..codecs.tfrecord import RecordError, read_records
from ..inference import Inference
from ..inference.requests import InferenceRequest, classify, multi_inference, regress
from ..inference.types import ModelSpec, Task
from ..messages import message_class
from ..models import Servable, VersionState
from ..protocols.tfserving.grpc.examples import read_examples
from ..protocols.tfserving.grpc.inputs import predict_request, read_tasks
from ..protocols.tfserving.grpc.spec import to_spec
from ..runtime.types import LoadedModel
from ..status import Code, StatusError
from ..transport.grpc_types import Message

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
"""The path of the records in a version's folder."""

MOST_RECORDS = 1000
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
        if self.count > MOST_RECORDS:
            raise StatusError(
                Code.INVALID_ARGUMENT,
                f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {file}",
            )

    def _run(self, log: Message) -> None:
        for _ in range(self._iterations):
            match log.WhichOneof("log_type"):
                case "predict_log":
                    message = log.predict_log.request
                    request: InferenceRequest[Any] = predict_request(_spec(message), message)
                case "classify_log":
                    message = log.classify_log.request
                    request = classify(_spec(message), read_examples(message))
                case "regress_log":
                    message = log.regress_log.request
                    request = regress(_spec(message), read_examples(message))
                case "multi_inference_log":
                    message = log.multi_inference_log.request
                    request = multi_inference(_tasks(message), read_examples(message))
                case kind:
                    raise _unsupported(log, kind)
            self._inference.run(request)


class _OneModel:
    """A model that is not in a manager yet (Servables), and the handle on it."""

    def __init__(self, model: LoadedModel) -> None:
        self.servable = Servable(_UNNAMED, 0, model)

    def handle(
        self,
        name: str,  # noqa: ARG002  there is only one model
        version: int | None = None,  # noqa: ARG002
        label: str | None = None,  # noqa: ARG002
    ) -> Self:
        """Return the handle."""
        return self

    def release(self) -> None:
        """Do nothing: the loader closes the model."""

    def states(self, name: str) -> tuple[VersionState, ...]:  # noqa: ARG002
        """Return (): the model has no states yet."""
        return ()


def _spec(request: Message) -> ModelSpec:
    return _unnamed(to_spec(request.model_spec))


def _tasks(request: Message) -> list[Task]:
    return [replace(task, spec=_unnamed(task.spec)) for task in read_tasks(request)]


def _unnamed(spec: ModelSpec) -> ModelSpec:
    return replace(spec, name=_UNNAMED, version=None, label=None)


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
