"""An ExplanationSpec as one request needs it, with the request's overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....status import Code
from ...google.common.errors import ApiError
from ...resources import Document
from ..records import invalid
from .rules import GRADIENTS, METHODS, SHAPLEY, check_parameters, indices_of


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature: its key in the attributions, and in the instances."""

    key: str
    source: str
    group: str = ""
    baselines: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """The explained output: its key in the metadata, and in the predictions."""

    key: str
    source: str
    names: Any = None
    """Display names by index, as nested lists; None if there are none."""
    names_source: str = ""
    """The key of display names in the predictions, or ""."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The method with its number of paths or steps, the features, the output, and which of it."""

    method: str
    count: int
    features: Sequence[Feature]
    output: Output
    top: int = 1
    """How many of the largest outputs are explained; -1 stands for all."""
    indices: Sequence[tuple[int, ...]] = ()
    """The explained indices; they take precedence over `top`."""

    @property
    def is_by_gradients(self) -> bool:
        """Return whether the method is integrated gradients, not sampled Shapley."""
        return self.method == GRADIENTS

    @classmethod
    def of(cls, parameters: Mapping[str, Any], metadata: Mapping[str, Any]) -> Spec:
        """Return the spec in a valid document; raises ApiError for invalid indices."""
        method = check_parameters(parameters)
        count = parameters[method]["pathCount" if method == SHAPLEY else "stepCount"]
        features = [
            Feature(
                key,
                value.get("inputTensorName") or key,
                value.get("groupName", ""),
                value.get("inputBaselines", ()),
            )
            for key, value in metadata["inputs"].items()
        ]
        ((key, value),) = metadata["outputs"].items()
        output = Output(
            key,
            value.get("outputTensorName") or key,
            value.get("indexDisplayNameMapping"),
            value.get("displayNameMappingKey", ""),
        )
        indices = indices_of(parameters)
        return cls(method, count, features, output, parameters.get("topK", 0) or 1, indices)


def overridden(spec: Mapping[str, Any], override: Mapping[str, Any]) -> Document:
    """Return a spec with the overrides of an ExplainRequest; raises ApiError.

    Source: aiplatform v1, ExplanationSpecOverride: "the attribution method cannot be changed", and
    the keys of inputs "must exist in the input metadata to be overridden".
    """
    if override.get("examplesOverride"):
        raise ApiError(Code.UNIMPLEMENTED, "examples_override is not available offline.")
    old, new = spec.get("parameters", {}), override.get("parameters", {})
    if (new.keys() & set(METHODS)) - old.keys():
        raise invalid("The attribution method of a deployed model cannot be overridden.")
    return {**spec, "parameters": {**old, **new}}


def with_baselines(metadata: Mapping[str, Any], override: Mapping[str, Any]) -> Document:
    """Return metadata with the baselines of an ExplainRequest; raises ApiError."""
    inputs = dict(metadata["inputs"])
    for key, value in override.get("metadata", {}).get("inputs", {}).items():
        if key not in inputs:
            raise invalid(f"There is no explained input `{key}` to override.")
        if value.get("inputBaselines"):
            inputs[key] = {**inputs[key], "inputBaselines": value["inputBaselines"]}
    return {**metadata, "inputs": inputs}
