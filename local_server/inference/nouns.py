"""What is asked of a model, and what it answers: the data plane's nouns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a request asks for: without version and label the latest, "" the default signature."""

    name: str
    version: int | None = None
    label: str | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answered, and who: the version and signature that really ran."""

    spec: ModelSpec
    signature: Signature
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The signatures of a version, with the loader's own."""

    spec: ModelSpec
    signatures: Mapping[str, Signature]
    definitions: Mapping[str, Any] = field(default_factory=dict)
    """Their `SignatureDef` messages, as far as the model has them: these say more."""


@dataclass(frozen=True, slots=True)
class Classifications:
    """The classes of each example, and who answered.

    `labels` (bytes) and `scores` (float32) are of shape [examples, classes]; a model that has only
    one of them gives b"" or 0.0 for the other.
    """

    spec: ModelSpec
    labels: Tensor
    scores: Tensor


@dataclass(frozen=True, slots=True)
class Regressions:
    """The value of each example, float32 of shape [examples], and who answered."""

    spec: ModelSpec
    values: Tensor


@dataclass(frozen=True, slots=True)
class Task:
    """One part of a multi-inference: a signature, and what to do with it."""

    spec: ModelSpec
    method: str
    """`tensorflow/serving/classify` or `tensorflow/serving/regress`."""
