"""Requests and results of the data plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor


class Method(StrEnum):
    """The methods of the data plane, named as in `PredictionService`."""

    PREDICT = "Predict"
    CLASSIFY = "Classify"
    REGRESS = "Regress"
    MULTI_INFERENCE = "MultiInference"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A requested model: by default its latest version; "" is the default signature."""

    name: str
    version: int | None = None
    label: str | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's outputs, with the version and signature that ran."""

    spec: ModelSpec
    signature: Signature
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The signatures of a version."""

    spec: ModelSpec
    definitions: Mapping[str, Any]
    """`SignatureDef` messages by name."""


@dataclass(frozen=True, slots=True)
class Classifications:
    """The classes of each example, and the model that ran.

    `labels` (bytes) and `scores` (float32) have shape [examples, classes]; if the model returns
    only one of them, the other is b"" or 0.0.
    """

    spec: ModelSpec
    labels: Tensor
    scores: Tensor


@dataclass(frozen=True, slots=True)
class Regressions:
    """The value of each example, float32 of shape [examples], and the model that ran."""

    spec: ModelSpec
    values: Tensor


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a multi-inference: a signature and its method."""

    spec: ModelSpec
    method: str
    """`tensorflow/serving/classify` or `tensorflow/serving/regress`."""


Answer: TypeAlias = (
    Prediction | Classifications | Regressions | tuple[Classifications | Regressions, ...]
)
"""The answer to a request."""
