"""Answers of `ENDPOINT:explain`: predictions, and the attributions of each instance's features.

Sampled Shapley asks the model for predictions alone; integrated gradients differentiate its
SavedModel. Both explain the output of the signature that `parameters` names.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import numpy as np

from cloudserve.errors import CloudserveError

from ....inference import Inference
from ....protocols.vertex.predict import DeployedModel, predict_batch, signature_of
from ....runtime.gradients import GradientModel, load_gradients
from ....status import Code, StatusError
from . import integrated
from .outputs import Index, chosen, display_name, numbers, picked
from .rules import SIGNATURE
from .shapley import ROWS, Estimate, relative, sampled_shapley
from .spec import Spec
from .values import Floats, Mask, Mixture, baselines, mean

_LOADED = 2
"""Models that are kept to be differentiated."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to explain instances: by whom, how, and until when."""

    deployed: DeployedModel
    path: Path
    """The SavedModel."""
    spec: Spec
    parameters: Any
    deadline: float
    """On the clock of `time.monotonic`."""


@dataclass(slots=True)
class Explainer:
    """Explains predictions; `rng` draws the orders of sampled Shapley."""

    inference: Inference
    rng: random.Random
    _gradients: dict[Path, GradientModel] = field(default_factory=dict)

    def answer(self, question: Question, instances: Sequence[Any]) -> bytes:
        """Return an ExplainResponse; raises StatusError. Blocks."""
        predictions = self._predicted(question, instances)
        explanations = [
            {"attributions": self._attributions(question, instance, prediction)}
            for instance, prediction in zip(instances, predictions, strict=True)
        ]
        response = {
            "explanations": explanations,
            "deployedModelId": question.deployed.id,
            "predictions": predictions,
        }
        return _json(response)

    def _predicted(self, question: Question, instances: Sequence[Any]) -> list[Any]:
        answers: list[Any] = []
        for start in range(0, len(instances), ROWS):
            if monotonic() > question.deadline:
                raise StatusError(Code.DEADLINE_EXCEEDED, "The explanation took too long.")
            part = instances[start : start + ROWS]
            body = msgspec.json.encode(part)
            raw = predict_batch(
                self.inference, question.deployed, body, question.parameters, len(part)
            )
            answers += [msgspec.json.decode(one) for one in raw]
        return answers

    def _attributions(
        self, question: Question, instance: Any, prediction: Any
    ) -> list[dict[str, Any]]:
        spec = question.spec
        indices = chosen(spec, numbers(spec.output, prediction))
        method = self._by_gradients if spec.is_by_gradients else self._by_shapley
        mixtures = [
            Mixture.of(instance, spec.features, number)
            for number in range(baselines(spec.features))
        ]
        parts = [method(question, mixture, indices) for mixture in mixtures]
        return [
            _attribution(spec, parts, place, index)
            | _named(display_name(spec.output, prediction, index))
            for place, index in enumerate(indices)
        ]

    def _by_shapley(
        self, question: Question, mixture: Mixture, indices: Sequence[Index]
    ) -> _Explained:
        evaluate = partial(self._outputs, question, mixture, indices)
        estimate = sampled_shapley(evaluate, mixture.count, question.spec.count, self.rng)
        shares = [mixture.attributions(estimate.values[:, i]) for i in range(len(indices))]
        return _Explained(estimate, shares)

    def _outputs(
        self, question: Question, mixture: Mixture, indices: Sequence[Index], masks: Mask
    ) -> Floats:
        """Return the explained outputs of instances that have these players."""
        instances = [mixture.with_players(mask) for mask in masks]
        return np.array(
            [
                picked(numbers(question.spec.output, prediction), indices)
                for prediction in self._predicted(question, instances)
            ]
        )

    def _by_gradients(
        self, question: Question, mixture: Mixture, indices: Sequence[Index]
    ) -> _Explained:
        ends = np.array([np.zeros(mixture.count, bool), np.ones(mixture.count, bool)])
        baseline, instance = self._outputs(question, mixture, indices, ends)
        model = self._model(question.path)
        columns = [_integrated(model, question, mixture, index) for index in indices]
        values = np.array(columns).T
        error = relative(np.abs(values.sum(axis=0) - (instance - baseline)), instance - baseline)
        shares = [mixture.attributions(column) for column in columns]
        return _Explained(Estimate(values, error, baseline, instance), shares)

    def _model(self, path: Path) -> GradientModel:
        model = self._gradients.get(path)
        if model is None:
            try:
                model = load_gradients(path)
            except CloudserveError as error:
                text = f"The model cannot be differentiated: {error.message}"
                raise StatusError(Code.FAILED_PRECONDITION, text) from error
            while len(self._gradients) >= _LOADED:
                self._gradients.pop(next(iter(self._gradients)), None)
            self._gradients[path] = model
        return model


@dataclass(frozen=True, slots=True)
class _Explained:
    """The attributions against one baseline, by output."""

    estimate: Estimate
    shares: Sequence[dict[str, Any]]


def _integrated(model: GradientModel, question: Question, mixture: Mixture, index: Index) -> Floats:
    """Return the attributions of the players for one number of the output."""
    signature = signature_of(question.parameters) or SIGNATURE
    dtypes = model.dtypes(signature)
    explained = {f.source for f in question.spec.features}
    _check_differentiable(dtypes, explained)
    instance, baseline = (_arrays(mixture, mask, dtypes) for mask in (np.True_, np.False_))
    constant = {name: array for name, array in instance.items() if name not in explained}

    def gradients(points: integrated.Arrays) -> integrated.Arrays:
        rows = question.spec.count
        fixed = {name: np.repeat(array[None], rows, axis=0) for name, array in constant.items()}
        output = (question.spec.output.source, index)
        return model.gradients(signature, {**fixed, **points}, tuple(points), output)

    inner = {name: instance[name] for name in dtypes if name in explained}
    found = integrated.integrated_gradients(gradients, inner, baseline, question.spec.count)
    every = np.concatenate([found[f.source].reshape(-1) for f in question.spec.features])
    # A group is one player: its attribution is the sum of those of its values.
    sums: Floats = np.bincount(mixture.players, every, mixture.count).astype(np.float64)
    return sums


def _check_differentiable(dtypes: Any, explained: set[str]) -> None:
    for name in sorted(explained):
        if name not in dtypes:
            raise StatusError(Code.INVALID_ARGUMENT, f"The signature has no input `{name}`.")
        if not np.issubdtype(dtypes[name], np.floating):
            raise StatusError(
                Code.FAILED_PRECONDITION,
                f"The input `{name}` is of type {dtypes[name]}, which is not differentiable:"
                " integrated gradients need an encoded tensor, which is not available offline.",
            )


def _arrays(mixture: Mixture, whole: np.bool_, dtypes: Any) -> dict[str, Any]:
    """Return an instance, or its baseline, as arrays by input; raises StatusError."""
    mixed = mixture.with_players(np.full(mixture.count, whole))
    named = mixed if isinstance(mixed, dict) else {mixture.features[0].source: mixed}
    missing = sorted(dtypes.keys() - named.keys())
    if missing:
        raise StatusError(Code.INVALID_ARGUMENT, f"The instance has no input `{missing[0]}`.")
    try:
        return {name: np.asarray(named[name], dtype) for name, dtype in dtypes.items()}
    except (TypeError, ValueError) as error:
        text = f"An input of the instance is not an array of its type: {error}"
        raise StatusError(Code.INVALID_ARGUMENT, text) from error


def _attribution(
    spec: Spec, parts: Sequence[_Explained], place: int, index: Index
) -> dict[str, Any]:
    """Return an Attribution, averaged over the baselines."""

    def average(name: str) -> float:
        return float(np.mean([getattr(part.estimate, name)[place] for part in parts]))

    found: dict[str, Any] = {
        "baselineOutputValue": average("baseline"),
        "instanceOutputValue": average("instance"),
        "featureAttributions": mean(part.shares[place] for part in parts),
        "approximationError": average("error"),
        "outputName": spec.output.key,
    }
    return found | ({"outputIndex": list(index)} if index else {})


def _named(name: str) -> dict[str, str]:
    return {"outputDisplayName": name} if name else {}


def _json(response: dict[str, Any]) -> bytes:
    encoded = msgspec.json.encode(response)
    # msgspec writes NaN and Infinity as null, which would be a number that is missing.
    if not all(np.isfinite(value) for value in _floats(response)):
        text = "The model's answer is not JSON: it holds NaN or Infinity, which JSON lacks."
        raise StatusError(Code.FAILED_PRECONDITION, text)
    return encoded


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _floats(item)
    elif isinstance(value, float):
        yield value
