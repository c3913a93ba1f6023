"""A request of the event loop in flight: parsed, decoded, run, encoded, each where it is fastest.

The loop processes a cheap request itself. A request of unknown cost, and a large one, is processed
in a thread of the executor. If the model batches, a decoded request waits in a queue, without a
thread. None of the three takes a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from time import monotonic, perf_counter
from typing import Any, Protocol, TypeVar

from ..batching import BatchedModel, LoopCompletion
from ..deferred import Deferred, Outcome, in_loop
from ..runtime.types import Tensor
from ..status import Code, StatusError
from .latency import LatencyEstimate, Stopwatch
from .opened import Opened
from .requests import InferenceRequest, Job, ModelCall
from .types import Answer, Classifications, Prediction, Regressions

_T = TypeVar("_T")

_OBJECT_BYTES = 64
"""An element that is an object takes as long to encode as so many bytes."""


class DataPlane(Protocol):
    """The parts of the data plane that requests in flight share."""

    @property
    def executor(self) -> Executor:
        """The threads for requests that the loop does not process."""
        ...

    def open(self, request: InferenceRequest[Any]) -> Opened[Any]:
        """Take a handle on the request's version. Raises StatusError if there is none."""
        ...

    def estimate(self, opened: Opened[Any], job: Job[Any]) -> LatencyEstimate | None:
        """Return the estimate of a request's latency; None if the loop may never process it."""
        ...


class Serving(Deferred[_T]):
    """A request in flight; its outcome is the encoded answer."""

    __slots__ = ("_completion", "_deadline", "_job", "_loop", "_opened", "_plane", "_timer")

    def __init__(self, plane: DataPlane, job: Job[_T], timeout_seconds: float | None) -> None:
        """Begin to process a request, in the thread of the running loop."""
        super().__init__()
        self._plane = plane
        self._job = job
        self._loop = asyncio.get_running_loop()
        self._opened: Opened[Any] | None = None
        self._completion: LoopCompletion | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
        try:
            self._begin()
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.settle(error)
        if timeout_seconds is not None and not self.is_done:
            self._timer = self._loop.call_later(timeout_seconds, self._expire)

    def settle(self, outcome: Outcome[_T]) -> None:
        """Set the outcome; see Deferred."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().settle(outcome)

    def cancel(self) -> None:
        """Leave the queue. A request that a thread has already started still runs to completion."""
        super().cancel()
        if self._completion is not None and self._completion.is_queued:
            self._completion.cancel()

    def _expire(self) -> None:
        if self._completion is None or not self._completion.expire():
            self.settle(too_late())

    def _begin(self) -> None:
        job = self._job
        if job.parsed is None:
            self._plane.executor.submit(self._work)
            return
        opened = self._opened = self._plane.open(job.parsed[0])
        if isinstance(opened.servable.model, BatchedModel):
            self._advance()
            return
        estimate = self._plane.estimate(opened, job)
        if estimate is None or not estimate.is_quick(job.size):
            self._plane.executor.submit(self._work)
            return
        began = perf_counter()
        self._advance()
        estimate.record_on_loop(perf_counter() - began)

    def _advance(self, outputs: Mapping[str, Tensor] | None = None) -> None:
        """Continue in the loop's thread, until the request is answered or waits in a queue."""
        opened = self._open
        try:
            call = opened.next_call(outputs)
            while call is not None:
                if isinstance(opened.servable.model, BatchedModel):
                    self._queue(call)
                    return
                call = opened.next_call(opened.run(call))
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.settle(error)
            return
        if _size(opened.answer) <= self._job.small_bytes:
            self.settle(self._encoded())
        else:
            self._plane.executor.submit(self._encode)

    def _queue(self, call: ModelCall) -> None:
        """Queue a call for a batch; one that cannot be batched runs alone, in a thread."""
        opened, model = self._open, self._open.servable.model
        assert isinstance(model, BatchedModel)
        signature, inputs, output_filter = call
        route = model.route(signature, inputs, output_filter)
        if route is None:
            self._plane.executor.submit(self._run, call)
            return
        opened.queued(call)
        completion = self._completion = LoopCompletion(self._loop)
        try:
            model.add(route, inputs, completion, self._deadline)
        except StatusError as error:
            opened.close(error)
            self.settle(error)
            return

        def resume(outcome: Outcome[Mapping[str, Tensor]]) -> None:
            if isinstance(outcome, BaseException):
                opened.close(outcome)
                self.settle(outcome)
            else:
                opened.ran()
                self._advance(route.answer(outcome))

        completion.then(resume)

    @property
    def _open(self) -> Opened[Any]:
        assert self._opened is not None
        return self._opened

    def _encoded(self) -> Outcome[_T]:
        assert self._job.parsed is not None
        try:
            return self._job.parsed[1](self._open.answer)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            return error

    # In a thread of the executor.

    def _work(self) -> None:
        """Process a whole request, or until it waits in a queue."""
        if self.is_done:  # the caller is gone
            if self._opened is not None:
                self._opened.abandon()
            return
        stopwatch = Stopwatch()
        try:
            opened = self._opened or self._parse()
            call = opened.next_call()
            if call is not None and isinstance(opened.servable.model, BatchedModel):
                in_loop(self._loop, self._queue, call)
                return
            while call is not None:
                call = opened.next_call(opened.run(call))
        except Exception as error:  # noqa: BLE001 - the caller gets it
            in_loop(self._loop, self.settle, error)
            return
        outcome = self._encoded()
        estimate = self._plane.estimate(opened, self._job)
        if estimate is not None and not isinstance(outcome, Exception):
            estimate.record_threaded(self._job.size, *stopwatch.read())
        in_loop(self._loop, self.settle, outcome)

    def _parse(self) -> Opened[Any]:
        self._job.parsed = self._job.parse()
        self._opened = self._plane.open(self._job.parsed[0])
        return self._opened

    def _run(self, call: ModelCall) -> None:
        try:
            outputs = self._open.run(call)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            in_loop(self._loop, self.settle, error)
        else:
            in_loop(self._loop, self._advance, outputs)

    def _encode(self) -> None:
        in_loop(self._loop, self.settle, self._encoded())


def too_late() -> StatusError:
    """Return the error of TensorFlow's DirectSession after `RunOptions.timeout_in_ms`."""
    return StatusError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")


def _size(answer: Answer) -> int:
    """Return about how many bytes an answer has."""
    if isinstance(answer, Prediction):
        return sum(map(_bytes, answer.outputs.values()))
    if isinstance(answer, Classifications):
        return _bytes(answer.labels) + _bytes(answer.scores)
    return _bytes(answer.values) if isinstance(answer, Regressions) else sum(map(_size, answer))


def _bytes(tensor: Tensor) -> int:
    return tensor.size * _OBJECT_BYTES if tensor.dtype.hasobject else tensor.nbytes
