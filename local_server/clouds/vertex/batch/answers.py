"""A job's answers to a batch of instances: predictions, and explanations if it generates them.

Source: aiplatform v1, `BatchPredictionJob.generateExplanation` (each line of the output has an
entry `explanation`, an Explanation; the model or the job has an explanation_spec) and
`explanationSpec` (fields that it does not have are the model's).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ....inference import Inference
from ....protocols.vertex.predict import DeployedModel, predict_batch
from ...resources import Document
from ..explanation.explain import Explainer
from ..explanation.requests import ExplainedModel
from ..explanation.rules import check_spec, inherited
from ..records import Version, invalid

Answer = Callable[[Sequence[bytes], Any], Sequence[bytes]]
"""Answers instances, as JSON, with parameters: the members of each line's object.

Blocks; raises StatusError if the model refuses them.
"""


def spec_of(job: Mapping[str, Any], version: Version) -> Document:
    """Return the explanation_spec of a job that generates explanations; {} for others."""
    if not job.get("generateExplanation"):
        return {}
    return inherited(job.get("explanationSpec", {}), version.document.get("explanationSpec", {}))


def check_explanation(job: Mapping[str, Any], version: Version) -> None:
    """Refuse an explanation_spec that a job cannot have, or that is missing (ApiError)."""
    if not job.get("generateExplanation"):
        if job.get("explanationSpec"):
            raise invalid(
                "An explanation_spec can be specified only if generate_explanation is true."
            )
        return
    spec = spec_of(job, version)
    if not spec:
        raise invalid(
            "If generate_explanation is true, either the Model.explanation_spec or"
            " explanation_spec must be populated."
        )
    check_spec(spec, version.image)


@dataclass(frozen=True, slots=True)
class Predicted:
    """Answers with predictions."""

    inference: Inference
    deployed: DeployedModel

    def __call__(self, instances: Sequence[bytes], parameters: Any) -> Sequence[bytes]:
        """Return `"prediction":…` for each instance."""
        body = _array(instances)
        answers = predict_batch(self.inference, self.deployed, body, parameters, len(instances))
        return [b'"prediction":' + bytes(answer) for answer in answers]


@dataclass(frozen=True, slots=True)
class Explained:
    """Answers with predictions and explanations."""

    explainer: Explainer
    deployed: DeployedModel
    path: Path
    """The SavedModel."""
    spec: Document

    def __call__(self, instances: Sequence[bytes], parameters: Any) -> Sequence[bytes]:
        """Return `"prediction":…,"explanation":…` for each instance."""
        sent = msgspec.json.decode(_array(instances))
        request = {"instances": sent, "parameters": parameters}
        model = ExplainedModel(self.deployed.id, self.spec)
        answer = msgspec.json.decode(
            model.answer(self.explainer, self.deployed, self.path, request, math.inf),
            type=_Response,
        )
        pairs = zip(answer.predictions, answer.explanations, strict=True)
        return [b'"prediction":' + bytes(p) + b',"explanation":' + bytes(e) for p, e in pairs]


class _Response(msgspec.Struct, frozen=True):
    predictions: list[msgspec.Raw]
    explanations: list[msgspec.Raw]


def _array(instances: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(instances) + b"]"
