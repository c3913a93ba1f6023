"""A deployed model's spec, applied to one ExplainRequest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from ....protocols.vertex.predict import DeployedModel, through_doubles
from .explain import Explainer, Question
from .rules import metadata_of
from .spec import Spec, overridden, with_baselines


@dataclass(frozen=True, slots=True)
class ExplainedModel:
    """The ID of a deployed model, and its `explanationSpec`."""

    deployed_id: str
    document: Mapping[str, Any]

    def answer(
        self,
        explainer: Explainer,
        deployed: DeployedModel,
        path: Path,
        request: Mapping[str, Any],
        seconds: float,
    ) -> bytes:
        """Return the ExplainResponse of a request; raises StatusError. Blocks."""
        override = request.get("explanationSpecOverride", {})
        document = overridden(self.document, override)
        metadata = with_baselines(metadata_of(document, path), override)
        spec = Spec.of(document["parameters"], through_doubles(metadata))
        question = Question(deployed, path, spec, request.get("parameters"), monotonic() + seconds)
        return explainer.answer(question, through_doubles(request["instances"]))
