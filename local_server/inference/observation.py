"""Observations of finished requests, for metrics and the request log.

The data plane records each request and calls its observer once, in the thread that did the work. An
observer is fast; an exception of it does not fail the request.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from time import perf_counter
from types import TracebackType
from typing import Self, TypeAlias

from ..models import Servable
from ..runtime.types import Tensor
from ..status import Code, StatusError
from .types import Classifications, ModelSpec, Prediction, Regressions, Task

Answer: TypeAlias = (
    Prediction | Classifications | Regressions | tuple[Classifications | Regressions, ...]
)

logger = logging.getLogger(__name__)


class Method(StrEnum):
    """The methods of the data plane, named as in `PredictionService`."""

    PREDICT = "Predict"
    CLASSIFY = "Classify"
    REGRESS = "Regress"
    MULTI_INFERENCE = "MultiInference"


class Observation:
    """One request, from taking a version to its result (a context manager, used once).

    Fields that are unknown when a request fails stay empty: `servable` is None for an unknown
    model, `signature` is "" for an unknown signature.
    """

    __slots__ = (
        "_began",
        "_observe",
        "answer",
        "code",
        "examples",
        "inputs",
        "method",
        "run_seconds",
        "seconds",
        "servable",
        "signature",
        "spec",
        "tasks",
    )

    def __init__(self, method: Method, spec: ModelSpec, observe: Observer) -> None:
        self.method = method
        self.spec = spec
        """The requested spec."""
        self.servable: Servable | None = None
        self.signature = ""
        self.inputs: Mapping[str, Tensor] = {}
        """The inputs of a prediction."""
        self.examples: Sequence[bytes] = ()
        """The input of every other method."""
        self.tasks: Sequence[Task] = ()
        self.answer: Answer | None = None
        self.code = Code.OK
        self.seconds = 0.0
        """How long the version was held."""
        self.run_seconds = 0.0
        """How long the model ran, or waited in a batch and ran."""
        self._observe = observe

    def __enter__(self) -> Self:
        self._began = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = perf_counter() - self._began
        if error is not None:
            self.code = _code(error)
        try:
            self._observe(self)
        except Exception:
            logger.exception("a request could not be observed")

    def run(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Tensor],
        output_filter: Sequence[str] = (),
    ) -> dict[str, Tensor]:
        """Run a signature of the version and measure its time; see LoadedModel."""
        self.signature = signature
        run = servable.model.run
        began = perf_counter()
        outputs = run(signature, inputs, output_filter) if output_filter else run(signature, inputs)
        self.run_seconds += perf_counter() - began
        return outputs


def _code(error: BaseException) -> Code:
    match error:
        case StatusError(code=code):
            return code
        case CancelledError():
            return Code.CANCELLED
        case _:
            return Code.INTERNAL


Observer = Callable[[Observation], None]
"""Called with every request that reached the data plane, once it has finished or failed."""


def unobserved(_observation: Observation) -> None:
    """Do nothing (an Observer)."""


def together(*observers: Observer) -> Observer:
    """Return one observer that calls all of these."""
    if len(observers) == 1:
        return observers[0]

    def observe(observation: Observation) -> None:
        for observer in observers:
            observer(observation)

    return observe if observers else unobserved
