"""Requests as `PredictionLog`s, which a request log stores and a warm-up replays.

Source: tensorflow_serving/apis/prediction_log.proto. A request of any protocol is stored as the
equivalent gRPC request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..codecs.room import EXAMPLE_BYTES, STRING_BYTES
from ..codecs.tensor_proto import to_tensor_proto
from ..inference.types import Classifications, ModelSpec, Prediction, Regressions, Task
from ..messages import message_class
from ..protocols.tfserving.grpc.examples import write_classifications, write_regressions
from ..protocols.tfserving.grpc.spec import write_spec
from ..runtime.types import Tensor
from ..transport.grpc_types import Message

if TYPE_CHECKING:
    from ..inference.observation import Observation
    from ..inference.types import Answer


@dataclass(frozen=True, slots=True)
class Entry:
    """The logged part of an answered request, without the version."""

    model: str
    answer: Answer
    inputs: Mapping[str, Tensor]
    examples: Sequence[bytes]
    tasks: Sequence[Task]
    sampling_rate: float

    @property
    def size(self) -> int:
        """Return the approximate size in memory, in bytes."""
        arrays = [*self.inputs.values(), *_arrays(self.answer)]
        return sum(map(_array_size, arrays)) + sum(
            EXAMPLE_BYTES + len(example) for example in self.examples
        )


def to_entry(observation: Observation, answer: Answer, sampling_rate: float) -> Entry:
    """Return the log entry of an answered request."""
    return Entry(
        observation.spec.name,
        answer,
        observation.inputs,
        observation.examples,
        observation.tasks,
        sampling_rate,
    )


def to_record(entry: Entry) -> bytes:
    """Return a serialized `PredictionLog`."""
    log = message_class("tensorflow.serving.PredictionLog")()
    log.log_metadata.sampling_config.sampling_rate = entry.sampling_rate
    match entry.answer:
        case Prediction() as answer:
            spec = answer.spec
            _write_prediction(log.predict_log, entry, answer)
        case Classifications() as answer:
            spec = answer.spec
            _write_request(log.classify_log.request, entry, spec)
            _write_result(log.classify_log.response, "result", answer)
        case Regressions() as answer:
            spec = answer.spec
            _write_request(log.regress_log.request, entry, spec)
            _write_result(log.regress_log.response, "result", answer)
        case answers:
            spec = answers[0].spec
            _write_multi_inference(log.multi_inference_log, entry, answers)
    write_spec(log.log_metadata.model_spec, spec)
    serialized: bytes = log.SerializeToString()
    return serialized


def _write_prediction(log: Message, entry: Entry, answer: Prediction) -> None:
    _write_request_spec(log.request.model_spec, answer.spec)
    for alias, array in entry.inputs.items():
        to_tensor_proto(array, log.request.inputs[alias], as_content=True)
    if len(answer.outputs) < len(answer.signature.outputs):
        log.request.output_filter.extend(answer.outputs)
    write_spec(log.response.model_spec, answer.spec)
    for alias, array in answer.outputs.items():
        to_tensor_proto(array, log.response.outputs[alias], as_content=True)


def _write_multi_inference(
    log: Message, entry: Entry, answers: Sequence[Classifications | Regressions]
) -> None:
    for task, answer in zip(entry.tasks, answers, strict=True):
        written = log.request.tasks.add(method_name=task.method)
        _write_request_spec(written.model_spec, answer.spec)
        is_classified = isinstance(answer, Classifications)
        field = "classification_result" if is_classified else "regression_result"
        _write_result(log.response.results.add(), field, answer)
    _write_examples(log.request.input, entry.examples)


def _write_request(request: Message, entry: Entry, spec: ModelSpec) -> None:
    _write_request_spec(request.model_spec, spec)
    _write_examples(request.input, entry.examples)


def _write_request_spec(message: Message, spec: ModelSpec) -> None:
    """Write a request's spec, without a version, so that other versions can replay it."""
    message.name, message.signature_name = spec.name, spec.signature


def _write_examples(message: Message, examples: Sequence[bytes]) -> None:
    message.example_list.SetInParent()
    for example in examples:
        message.example_list.examples.add().ParseFromString(example)


def _write_result(message: Message, field: str, answer: Classifications | Regressions) -> None:
    write_spec(message.model_spec, answer.spec)
    result = getattr(message, field)
    result.SetInParent()
    if isinstance(answer, Classifications):
        write_classifications(result, answer)
    else:
        write_regressions(result, answer)


def _arrays(answer: Answer) -> list[Tensor]:
    match answer:
        case Prediction(outputs=outputs):
            return [*outputs.values()]
        case Classifications(labels=labels, scores=scores):
            return [labels, scores]
        case Regressions(values=values):
            return [values]
        case answers:
            return [array for each in answers for array in _arrays(each)]


def _array_size(array: Tensor) -> int:
    if not array.dtype.hasobject:
        return array.nbytes
    return STRING_BYTES * array.size + sum(map(len, array.flat))
