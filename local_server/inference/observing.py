"""What is told of a request when it is done: to metrics, to a log of requests.

The data plane notes what happens on a request's way and tells its observer once, in the thread that
did the work. An observer is quick, and what it raises fails no request.
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
from .nouns import Classifications, ModelSpec, Prediction, Regressions, Task

Answer: TypeAlias = (
    Prediction | Classifications | Regressions | tuple[Classifications | Regressions, ...]
)

logger = logging.getLogger(__name__)


class Method(StrEnum):
    """What a request asks of the data plane, by the names of `PredictionService`."""

    PREDICT = "Predict"
    CLASSIFY = "Classify"
    REGRESS = "Regress"
    MULTI_INFERENCE = "MultiInference"


class Observation:
    """One request, from taking a version to its answer (a context manager, used once).

    What is not known yet when a request fails stays empty: `servable` is None for a model that is
    not there, `signature` is "" for a signature that is not.
    """

    __slots__ = (
        "_began", "_tell", "answer", "code", "examples", "inputs", "method", "run_seconds",
        "seconds", "servable", "signature", "spec", "tasks",
    )  # fmt: skip

    def __init__(self, method: Method, spec: ModelSpec, tell: Observer) -> None:
        self.method = method
        self.spec = spec
        """What was asked for."""
        self.servable: Servable | None = None
        self.signature = ""
        self.inputs: Mapping[str, Tensor] = {}
        """What a prediction was asked of."""
        self.examples: Sequence[bytes] = ()
        """What every other method was asked of."""
        self.tasks: Sequence[Task] = ()
        self.answer: Answer | None = None
        self.code = Code.OK
        self.seconds = 0.0
        """How long the version was held."""
        self.run_seconds = 0.0
        """How long the model ran, or waited in a batch and ran."""
        self._tell = tell

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
            self._tell(self)
        except Exception:
            logger.exception("a request could not be observed")

    def run(
        self, servable: Servable, signature: str, inputs: Mapping[str, Tensor],
        wanted: Sequence[str] = (),
    ) -> dict[str, Tensor]:  # fmt: skip
        """Run a signature of the version, and note how long it takes; see LoadedModel."""
        self.signature = signature
        run = servable.model.run
        began = perf_counter()
        outputs = run(signature, inputs, wanted) if wanted else run(signature, inputs)
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
"""Told of every request that reached the data plane, once it is done or has failed."""


def unobserved(_observation: Observation) -> None:
    """Take no notice (an Observer)."""


def together(*observers: Observer) -> Observer:
    """Return one observer that tells all of these."""
    if len(observers) == 1:
        return observers[0]

    def tell(observation: Observation) -> None:
        for observer in observers:
            observer(observation)

    return tell if observers else unobserved
