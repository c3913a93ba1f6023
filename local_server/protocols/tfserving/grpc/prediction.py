"""`tensorflow.serving.PredictionService` on the data plane.

Source: tensorflow_serving/apis/prediction_service.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ....codecs.tensor_proto import copied_bytes, stated_bytes
from ....deferred import Deferred
from ....inference import Inference
from ....inference.requests import Job, Parsed, classify, multi_inference, regress
from ....inference.types import Classifications, Prediction, Regressions
from ....messages import message_class
from ....status import Code, StatusError
from ....transport.grpc_types import Call, Message, Method, Service
from .examples import read_examples, write_classifications, write_regressions
from .fast_path import PredictFastPath
from .inputs import predict_request, read_tasks
from .responses import PredictResponses
from .signature import signature_map
from .spec import check_name, read_any_spec, read_spec, write_spec

ClassificationRequest = message_class("tensorflow.serving.ClassificationRequest")
ClassificationResponse = message_class("tensorflow.serving.ClassificationResponse")
GetModelMetadataRequest = message_class("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = message_class("tensorflow.serving.GetModelMetadataResponse")
MultiInferenceRequest = message_class("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = message_class("tensorflow.serving.MultiInferenceResponse")
PredictRequest = message_class("tensorflow.serving.PredictRequest")
RegressionRequest = message_class("tensorflow.serving.RegressionRequest")
RegressionResponse = message_class("tensorflow.serving.RegressionResponse")

_SIGNATURES = "signature_def"
# Up to this size the event loop parses or encodes faster than a hand-over to a thread takes.
_SMALL = 64 * 1024
# The same of numbers that are only copied.
_SMALL_IN_MEMORY = 1024 * 1024
_SMALL_RESULTS = 16 * 1024


class PredictionService:
    """Serves the five methods; the work of a request is done by the data plane."""

    def __init__(self, inference: Inference, *, tensor_content: bool = False) -> None:
        self._inference = inference
        self._responses = PredictResponses(tensor_content=tensor_content)
        self._fast_path = PredictFastPath(inference, self._responses)

    def service(self) -> Service:
        """Return the service to register."""
        methods = {
            "Predict": Method(PredictRequest, self.predict, fast_path=self._fast_path),
            "Classify": Method(ClassificationRequest, self.classify),
            "Regress": Method(RegressionRequest, self.regress),
            "MultiInference": Method(MultiInferenceRequest, self.multi_inference),
            "GetModelMetadata": Method(GetModelMetadataRequest, self.metadata),
        }
        return Service("tensorflow.serving.PredictionService", methods)

    def predict(self, call: Call, request: Message) -> Deferred[Message]:
        """Run a signature on tensors."""
        spec, size = read_spec(request), request.ByteSize()
        parsed = predict_request(spec, request), self._respond
        inputs = request.inputs.values()
        # Names, shapes and filters take longer than numbers that are only copied.
        is_copied = _SMALL < size <= _SMALL_IN_MEMORY and size - copied_bytes(inputs) <= _SMALL
        small = _SMALL_IN_MEMORY if is_copied else _SMALL
        is_small = size <= small and sum(map(stated_bytes, inputs)) <= small
        job = Job(size, lambda: parsed, parsed if is_small else None, _SMALL, "tensors")
        return self._inference.serve(job, call.deadline_seconds)

    def _respond(self, prediction: Prediction) -> Message:
        return self._responses.message(prediction.spec, prediction.outputs)

    def classify(self, call: Call, request: Message) -> Deferred[Message]:
        """Classify Examples."""
        spec = read_spec(request)
        return self._serve(call, lambda: (classify(spec, read_examples(request)), _classified))

    def regress(self, call: Call, request: Message) -> Deferred[Message]:
        """Return a value for each Example."""
        spec = read_spec(request)
        return self._serve(call, lambda: (regress(spec, read_examples(request)), _regressed))

    def multi_inference(self, call: Call, request: Message) -> Deferred[Message]:
        """Classify and regress the same Examples by several signatures."""
        tasks = read_tasks(request)
        return self._serve(
            call, lambda: (multi_inference(tasks, read_examples(request)), _inferred)
        )

    def _serve(self, call: Call, parse: Callable[[], Parsed[Message]]) -> Deferred[Message]:
        # Examples are many small messages: a thread reads them, whatever their size.
        job = Job(0, parse, small_bytes=_SMALL_RESULTS)
        return self._inference.serve(job, call.deadline_seconds)

    async def metadata(self, _call: Call, request: Message) -> Message:
        """Return the signatures of a version."""
        spec = read_any_spec(request)
        _check_fields(request.metadata_field)
        metadata = self._inference.metadata(check_name(spec))
        response = GetModelMetadataResponse()
        write_spec(response.model_spec, replace(metadata.spec, signature=""))
        response.metadata[_SIGNATURES].Pack(signature_map(metadata))
        return response


def _classified(answer: Classifications) -> Message:
    response = ClassificationResponse()
    write_spec(response.model_spec, answer.spec)
    response.result.SetInParent()
    write_classifications(response.result, answer)
    return response


def _regressed(answer: Regressions) -> Message:
    response = RegressionResponse()
    write_spec(response.model_spec, answer.spec)
    response.result.SetInParent()
    write_regressions(response.result, answer)
    return response


def _inferred(answers: Iterable[Classifications | Regressions]) -> Message:
    response = MultiInferenceResponse()
    for answer in answers:
        _write_result(response.results.add(), answer)
    return response


def _write_result(result: Message, answer: Classifications | Regressions) -> None:
    write_spec(result.model_spec, answer.spec)
    if isinstance(answer, Classifications):
        result.classification_result.SetInParent()
        write_classifications(result.classification_result, answer)
    else:
        result.regression_result.SetInParent()
        write_regressions(result.regression_result, answer)


def _check_fields(fields: Sequence[str]) -> None:
    if not fields:
        text = "GetModelMetadataRequest must specify at least one metadata_field"
        raise StatusError(Code.INVALID_ARGUMENT, text)
    for field in fields:
        if field != _SIGNATURES:
            text = f"Metadata field {field} is not supported"
            raise StatusError(Code.INVALID_ARGUMENT, text)
