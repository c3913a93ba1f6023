"""Observations of finished requests, for metrics and the request log.

The data plane records each request and calls its observer once, in the thread that did the work. An
observer is fast; an exception of it does not fail the request.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from copy import copy
from dataclasses import replace
from itertools import accumulate, pairwise
from time import perf_counter

from ..models import Servable
from ..runtime.types import Tensor
from ..status import Code, StatusError
from .types import Answer, Method, ModelSpec, Prediction, Task

logger = logging.getLogger(__name__)


def always() -> bool:
    """Return True (select every request)."""
    return True


class Observation:
    """One request, from its arrival at a version to its result; or equal ones of one turn.

    Fields that are unknown when a request fails stay empty: `servable` is None for an unknown
    model, `signature` is "" for an unknown signature.
    """

    __slots__ = (
        "_began",
        "_observe",
        "answer",
        "batch_rows",
        "code",
        "examples",
        "inputs",
        "method",
        "queue_seconds",
        "rows",
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
        self.rows: Sequence[int] = ()
        """The rows of each prediction, if several were run together."""
        self.answer: Answer | None = None
        self.code = Code.OK
        self.seconds = 0.0
        """How long the version was held."""
        self.run_seconds = 0.0
        """How long the model ran, or waited in a batch and ran."""
        self.queue_seconds = 0.0
        """The part of `run_seconds` before the run began."""
        self.batch_rows = 0
        """The rows of the batch that it ran in, with those of others; 0 if it ran alone."""
        own = REQUEST_OBSERVER.get()
        self._observe = together(observe, own) if own else observe
        self._began = perf_counter()

    @property
    def requests(self) -> int:
        """Return how many requests this is."""
        return len(self.rows) or 1

    def each(self, is_selected: Callable[[], bool] = always) -> Iterator[Observation]:
        """Yield each selected request with its own inputs and answer."""
        if not self.rows:
            if is_selected():
                yield self
            return
        assert isinstance(self.answer, Prediction)
        for start, stop in pairwise([0, *accumulate(self.rows)]):
            if not is_selected():
                continue
            one = copy(self)
            one.rows = ()
            one.inputs = _rows(self.inputs, start, stop)
            one.answer = replace(self.answer, outputs=_rows(self.answer.outputs, start, stop))
            yield one

    def finish(self, error: BaseException | None = None) -> None:
        """Report the request, which failed if there is an error."""
        self.seconds = perf_counter() - self._began
        if error is not None:
            self.code = _code(error)
        try:
            self._observe(self)
        except Exception:
            logger.exception("a request could not be observed")


def _rows(tensors: Mapping[str, Tensor], start: int, stop: int) -> dict[str, Tensor]:
    return {alias: tensor[start:stop] for alias, tensor in tensors.items()}


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
REQUEST_OBSERVER: ContextVar[Observer | None] = ContextVar("REQUEST_OBSERVER", default=None)
"""An observer of the requests that begin in this context alone; None, the default, is none."""


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
