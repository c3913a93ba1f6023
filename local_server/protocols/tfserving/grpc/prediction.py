"""`tensorflow.serving.PredictionService` on the data plane.

Source: tensorflow_serving/apis/prediction_service.proto, tfserving.md 3.3 to 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from cloudserve.savedmodel.signature import Signature

from ....codecs.tensor_proto import stated_bytes, to_tensor_proto
from ....inference import Inference, UnknownSignatureError
from ....inference.types import Classifications, ModelSpec, Prediction, Regressions, Task
from ....messages import message_class
from ....runtime.types import Tensor
from ....status import Code, StatusError
from ....transport.grpc_types import Call, Message, Method, Service
from .examples import read_examples, write_classifications, write_regressions
from .inputs import check_filter, read_inputs
from .signature import signature_map
from .spec import check_name, read_any_spec, read_spec, to_spec, write_spec

ClassificationRequest = message_class("tensorflow.serving.ClassificationRequest")
ClassificationResponse = message_class("tensorflow.serving.ClassificationResponse")
GetModelMetadataRequest = message_class("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = message_class("tensorflow.serving.GetModelMetadataResponse")
MultiInferenceRequest = message_class("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = message_class("tensorflow.serving.MultiInferenceResponse")
PredictRequest = message_class("tensorflow.serving.PredictRequest")
PredictResponse = message_class("tensorflow.serving.PredictResponse")
RegressionRequest = message_class("tensorflow.serving.RegressionRequest")
RegressionResponse = message_class("tensorflow.serving.RegressionResponse")

_SIGNATURES = "signature_def"
# Up to this size the event loop parses or encodes faster than a hand-over to a thread takes.
_SMALL = 64 * 1024


class PredictionService:
    """Serves the five methods; the work of a request runs in the data plane's threads."""

    def __init__(self, inference: Inference, *, tensor_content: bool = False) -> None:
        self._inference = inference
        self._tensor_content = tensor_content

    def service(self) -> Service:
        """Return the service to register."""
        methods = {
            "Predict": Method(PredictRequest, self.predict),
            "Classify": Method(ClassificationRequest, self.classify),
            "Regress": Method(RegressionRequest, self.regress),
            "MultiInference": Method(MultiInferenceRequest, self.multi_inference),
            "GetModelMetadata": Method(GetModelMetadataRequest, self.metadata),
        }
        return Service("tensorflow.serving.PredictionService", methods)

    async def predict(self, call: Call, request: Message) -> Message:
        """Run a signature on tensors; if the model batches, without a waiting thread."""
        spec = read_spec(request)
        if not self._inference.batches(spec):
            return await self._inference.submit(lambda: self._predict(spec, request))
        small = _is_small(request)
        decode, output_filter = partial(_decode, request), tuple(request.output_filter)
        with _named_as_upstream():
            prediction = await self._inference.predict(
                spec, decode, output_filter, timeout_seconds=call.deadline_seconds, small=small
            )
        if sum(tensor.nbytes for tensor in prediction.outputs.values()) <= _SMALL:
            return self._respond(prediction)
        return await self._inference.submit(lambda: self._respond(prediction))

    def _predict(self, spec: ModelSpec, request: Message) -> Message:
        with _named_as_upstream():
            decode, output_filter = partial(_decode, request), tuple(request.output_filter)
            prediction = self._inference.predict_here(spec, decode, output_filter)
        return self._respond(prediction)

    def _respond(self, prediction: Prediction) -> Message:
        response = PredictResponse()
        write_spec(response.model_spec, prediction.spec)
        for alias, tensor in prediction.outputs.items():
            to_tensor_proto(tensor, response.outputs[alias], as_content=self._tensor_content)
        return response

    async def classify(self, call: Call, request: Message) -> Message:
        """Classify Examples; if the model batches, without a waiting thread."""
        spec, inference = read_spec(request), self._inference
        if not inference.batches(spec):
            return await inference.submit(
                lambda: _classified(inference.classify_here(spec, read_examples(request)))
            )
        examples = await inference.submit(lambda: read_examples(request))
        answer = await inference.classify(spec, examples, timeout_seconds=call.deadline_seconds)
        return await inference.submit(lambda: _classified(answer))

    async def regress(self, call: Call, request: Message) -> Message:
        """Return a value for each Example, in the same way."""
        spec, inference = read_spec(request), self._inference
        if not inference.batches(spec):
            return await inference.submit(
                lambda: _regressed(inference.regress_here(spec, read_examples(request)))
            )
        examples = await inference.submit(lambda: read_examples(request))
        answer = await inference.regress(spec, examples, timeout_seconds=call.deadline_seconds)
        return await inference.submit(lambda: _regressed(answer))

    async def multi_inference(self, call: Call, request: Message) -> Message:
        """Classify and regress the same Examples by several signatures, in the same way."""
        tasks = [Task(to_spec(task.model_spec), task.method_name) for task in request.tasks]
        inference = self._inference
        if not tasks or not inference.batches(tasks[0].spec):
            return await inference.submit(
                lambda: _inferred(inference.multi_inference_here(tasks, read_examples(request)))
            )
        examples = await inference.submit(lambda: read_examples(request))
        answers = await inference.multi_inference(
            tasks, examples, timeout_seconds=call.deadline_seconds
        )
        return await inference.submit(lambda: _inferred(answers))

    async def metadata(self, _call: Call, request: Message) -> Message:
        """Return the signatures of a version."""
        spec = read_any_spec(request)
        _check_fields(request.metadata_field)
        metadata = self._inference.metadata(check_name(spec))
        response = GetModelMetadataResponse()
        write_spec(response.model_spec, replace(metadata.spec, signature=""))
        response.metadata[_SIGNATURES].Pack(signature_map(metadata))
        return response


def _is_small(request: Message) -> bool:
    """Return whether a request and its declared tensors are both small."""
    if request.ByteSize() > _SMALL:
        return False
    return sum(map(stated_bytes, request.inputs.values())) <= _SMALL


def _decode(request: Message, signature: Signature) -> Mapping[str, Tensor]:
    inputs = read_inputs(signature, request.inputs)
    check_filter(signature, request.output_filter)
    return inputs


@contextmanager
def _named_as_upstream() -> Iterator[None]:
    """Raise an unknown signature's error with the text of TensorFlow Serving's gRPC."""
    try:
        yield
    except UnknownSignatureError as error:
        text = f'Serving signature key "{error.signature}" not found.'
        raise StatusError(Code.FAILED_PRECONDITION, text) from error


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
