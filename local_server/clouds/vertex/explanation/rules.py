"""Rules on an ExplanationSpec, applied when it is sent; each check raises ApiError.

What needs an image, an embedding or a neighbour search is refused by name. The texts are ours, but
for that of a tensor that the signature does not have, which is the service's
(GoogleCloudPlatform/magic-modules#12171, #12173).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError
from cloudserve.savedmodel import Signature, read_saved_model

from ....status import Code
from ...google.common.discovery import snake
from ...google.common.errors import ApiError
from ...resources import Document
from ..images import is_prebuilt, is_tensorflow_2
from ..records import invalid
from ..validation import check_uris

SIGNATURE = "serving_default"
SHAPLEY, GRADIENTS = "sampledShapleyAttribution", "integratedGradientsAttribution"
METHODS = (SHAPLEY, GRADIENTS, "xraiAttribution", "examples")
"""The fields of ExplanationParameters that are attribution methods."""
_RANGES = {SHAPLEY: ("pathCount", 50), GRADIENTS: ("stepCount", 100)}
_NO_INPUTS_OFFLINE = (
    "denseShapeTensorName",
    "encodedBaselines",
    "encodedTensorName",
    "indexFeatureMapping",
    "indicesTensorName",
    "visualization",
)
_MODALITIES = frozenset({"", "numeric", "categorical"})
"""Images are shown as pictures; `categorical` is what google-cloud-aiplatform's builder writes."""
_ENCODINGS = frozenset({"", "ENCODING_UNSPECIFIED", "IDENTITY"})


def inherited(own: Mapping[str, Any], model: Mapping[str, Any]) -> Document:
    """Return the spec of a deployment: a field that it does not set is the model's."""
    return {name: value for name, value in (dict(model) | dict(own)).items() if value}


def check_spec(spec: Mapping[str, Any], image: str) -> None:
    """Refuse a spec that the service refuses for this image, or that is not available offline."""
    if is_prebuilt(image) and not is_tensorflow_2(image):
        raise _not_offline("explanation_spec of this prebuilt image")
    method = check_parameters(spec.get("parameters", {}))
    if method == GRADIENTS and not is_prebuilt(image):
        raise invalid(
            "Integrated gradients need a prebuilt image of TensorFlow: another container cannot be"
            " differentiated."
        )
    metadata = spec.get("metadata", {})
    if metadata or not is_prebuilt(image):
        _check_metadata(metadata, is_tensorflow=is_prebuilt(image))


def check_parameters(parameters: Mapping[str, Any]) -> str:
    """Return the attribution method of valid parameters; raises ApiError for others."""
    methods = [method for method in METHODS if method in parameters]
    if len(methods) != 1:
        raise invalid("Exactly one attribution method of `explanation_spec.parameters` is set.")
    (method,) = methods
    if method not in _RANGES:
        raise _not_offline(f"explanation_spec.parameters.{snake(method)}")
    name, most = _RANGES[method]
    count = parameters[method].get(name, 0)
    if not 1 <= count <= most:
        raise invalid(f"`{snake(method)}.{snake(name)}` is {count}; it must be 1 to {most}.")
    for field in ("smoothGradConfig", "blurBaselineConfig"):
        if parameters[method].get(field):
            raise _not_offline(f"{snake(method)}.{snake(field)}")
    if parameters.get("topK", 1) < -1:
        raise invalid("`explanation_spec.parameters.top_k` must be positive, or -1 for all.")
    indices_of(parameters)
    return method


def indices_of(parameters: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """Return the outputs that are explained; () for the largest ones. Raises ApiError.

    Source: aiplatform v1, `ExplanationParameters.outputIndices`: "an ndarray of integers".
    """
    return tuple(_index(item) for item in parameters.get("outputIndices", ()))


def _index(item: Any) -> tuple[int, ...]:
    words = item if isinstance(item, list) else [item]
    if not words or not all(_is_integer(word) for word in words):
        raise invalid("`output_indices` must be an array of integers, or of indices of integers.")
    return tuple(int(word) for word in words)


def _is_integer(word: Any) -> bool:
    if isinstance(word, float):
        return word.is_integer()  # not for infinity
    return isinstance(word, int) and not isinstance(word, bool)


def _check_metadata(metadata: Mapping[str, Any], *, is_tensorflow: bool) -> None:
    inputs, outputs = metadata.get("inputs", {}), metadata.get("outputs", {})
    if not inputs:
        raise invalid("The field `explanation_spec.metadata.inputs` is required.")
    if len(outputs) != 1:
        raise invalid("`explanation_spec.metadata.outputs` must have exactly one key.")
    if metadata.get("latentSpaceSource"):
        raise _not_offline("explanation_spec.metadata.latent_space_source")
    check_uris(metadata, "explanation_spec.metadata", ("featureAttributionsSchemaUri",))
    for key, value in inputs.items():
        _check_tensor(key, value, "inputTensorName", is_tensorflow=is_tensorflow)
        _check_input(value)
    for key, value in outputs.items():
        _check_tensor(key, value, "outputTensorName", is_tensorflow=is_tensorflow)
        if value.get("indexDisplayNameMapping") and value.get("displayNameMappingKey"):
            raise invalid("Only one display name mapping of an output may be set.")


def _check_tensor(
    key: str, metadata: Mapping[str, Any], field: str, *, is_tensorflow: bool
) -> None:
    if bool(metadata.get(field)) != is_tensorflow:
        why = "is required" if is_tensorflow else "applies to prebuilt TensorFlow images only"
        raise invalid(f"The field `{snake(field)}` of `{key}` {why}.")


def _check_input(metadata: Mapping[str, Any]) -> None:
    for field in _NO_INPUTS_OFFLINE:
        if metadata.get(field):
            raise _not_offline(f"{snake(field)} of an explained input")
    if metadata.get("encoding", "") not in _ENCODINGS:
        raise _not_offline(f"The encoding {metadata['encoding']}")
    if metadata.get("modality", "") not in _MODALITIES:
        raise _not_offline(f"The modality {metadata['modality']}")


def check_signature(spec: Mapping[str, Any], path: Path) -> None:
    """Refuse a spec whose tensors a SavedModel does not have (ApiError). Blocks."""
    metadata = metadata_of(spec, path)
    signature = _signature(path)
    for field, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        names = {tensor.alias for tensor in tensors}
        for item in metadata[f"{field}s"].values():
            name = item[f"{field}TensorName"]
            if name not in names:
                raise _preprocessing(f"KeyError: '{name}'")


def metadata_of(spec: Mapping[str, Any], path: Path) -> Document:
    """Return a spec's metadata, or that of the SavedModel's default signature. Blocks.

    Source: Vertex AI, "Configure feature-based explanations": the service infers it for
    TensorFlow 2.
    """
    metadata: Document = spec.get("metadata", {})
    if metadata:
        return metadata
    signature = _signature(path)
    if len(signature.outputs) != 1:
        raise _preprocessing(
            f"The signature has {len(signature.outputs)} outputs: the metadata must name one."
        )
    return {
        "inputs": {t.alias: {"inputTensorName": t.alias} for t in signature.inputs},
        "outputs": {t.alias: {"outputTensorName": t.alias} for t in signature.outputs},
    }


def _signature(path: Path) -> Signature:
    try:
        return read_saved_model(path).signature(SIGNATURE)
    except ModelError as error:
        raise _preprocessing(error.message) from error


def _preprocessing(why: str) -> ApiError:
    return invalid(f"Error occurred in Explanation preprocessing. {why}")


def _not_offline(what: str) -> ApiError:
    return ApiError(Code.UNIMPLEMENTED, f"{what} is not available offline.")
