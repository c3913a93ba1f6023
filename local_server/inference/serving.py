"""A request of the event loop in flight: parsed, decoded, run, encoded, each where it is fastest.

The loop decodes and encodes small requests, and runs those that are known to be quick. It decodes
plain ones of moderate size, too, in slices of its time. Large ones are processed in a thread of the
executor. If the model batches, a decoded request waits in a queue, without a thread. None of these
takes a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Protocol, TypeVar

from ..batching import BatchedModel, LoopCompletion, Route
from ..deferred import Deferred, Outcome, in_loop
from ..runtime.types import Tensor
from ..status import Code, StatusError
from .latency import LatencyEstimate, Stopwatch
from .opened import Opened
from .requests import InferenceRequest, Job, ModelCall, NotPlainError
from .slices import Slices
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

    @property
    def slices(self) -> Slices:
        """The decoding of requests of moderate size."""
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
            # Behind the end of this turn, when most requests have their answer.
            self._loop.call_soon(self._start_timer, timeout_seconds)

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

    def _start_timer(self, seconds: float) -> None:
        if not self.is_done:
            self._timer = self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self._completion is None or not self._completion.expire():
            self.settle(too_late())

    def _begin(self) -> None:
        if self._job.parsed is not None:
            self._opened = self._plane.open(self._job.parsed[0])
            self._advance()
        elif self._job.parse_plain is not None:
            self._plane.slices.add(self._loop, partial(copy_context().run, self._decode))
        else:
            self._leave_to_thread()

    def _leave_to_thread(self) -> None:
        # In the request's context, whose observer is that of this request alone.
        self._plane.executor.submit(copy_context().run, self._work)

    def _decode(self) -> None:
        """Decode a request of moderate size in the loop's thread, if that takes little time."""
        if self.is_done:  # the caller is gone
            return
        try:
            call = self._first_call()
            if call is None:
                self._leave_to_thread()
                return
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.settle(error)
            return
        self._proceed(call)

    def _first_call(self) -> ModelCall | None:
        """Return the first call of a plain request; None if its decoding takes longer."""
        job = self._job
        assert job.parse_plain is not None
        job.parsed = job.parse_plain()
        if job.parsed is None:
            return None
        self._opened = self._plane.open(job.parsed[0])
        try:
            return self._opened.next_call()
        except NotPlainError:
            return None

    def _advance(self, outputs: Mapping[str, Tensor] | None = None) -> None:
        """Continue in the loop's thread, until the request is answered or waits for the model."""
        try:
            call = self._open.next_call(outputs)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.settle(error)
            return
        self._proceed(call)

    def _proceed(self, call: ModelCall | None) -> None:
        """Continue with the next call of the model; None if it was the last."""
        if call is not None:
            self._resume(call)
        elif _size(self._open.answer) <= self._job.small_bytes:
            self.settle(self._encoded())
        else:
            self._plane.executor.submit(self._encode)

    def _dispatch(self, opened: Opened[Any], call: ModelCall) -> None:
        """Run the model: in a batch if it batches, else here if it is quick, else in a thread."""
        model, route = opened.servable.model, None
        if isinstance(model, BatchedModel):
            route = model.route(*call)
            if route is not None:
                self._batch(opened, model, route, call)
                return
        estimate = self._plane.estimate(opened, self._job)
        if estimate is None or not estimate.is_quick(self._job.size):
            self._plane.executor.submit(self._run, call)
            return
        began = perf_counter()
        try:
            outputs = opened.run(call)
        finally:
            estimate.record_on_loop(perf_counter() - began)
        self._advance(outputs)

    def _batch(
        self, opened: Opened[Any], model: BatchedModel, route: Route, call: ModelCall
    ) -> None:
        opened.queued(call)
        try:
            outputs = model.run_lone(route, call[1])
        except Exception as error:
            opened.close(error)
            raise
        if outputs is None:
            self._queue(opened, model, route, call)
        else:
            opened.ran()
            self._advance(outputs)

    def _queue(
        self, opened: Opened[Any], model: BatchedModel, route: Route, call: ModelCall
    ) -> None:
        completion = self._completion = LoopCompletion(self._loop)
        try:
            others = self._plane.slices.wait_in(self._loop)
            model.add(route, call[1], completion, self._deadline, others_follow=others)
        except StatusError as error:
            opened.close(error)
            raise

        def resume(outcome: Outcome[Mapping[str, Tensor]]) -> None:
            if isinstance(outcome, BaseException):
                opened.close(outcome)
                self.settle(outcome)
            else:
                opened.ran(completion.batch_rows, completion.ran_at)
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

    def _resume(self, call: ModelCall) -> None:
        if self.is_done:  # the caller is gone
            self._open.abandon()
            return
        try:
            self._dispatch(self._open, call)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.settle(error)

    # In a thread of the executor.

    def _work(self) -> None:
        """Process a whole request, from its bytes; or until it waits in a queue."""
        if self.is_done:  # the caller is gone
            return
        stopwatch = Stopwatch()
        try:
            self._job.parsed = self._job.parse()
            opened = self._opened = self._plane.open(self._job.parsed[0])
            call = opened.next_call()
            while call is not None:
                if _is_batched(opened, call):
                    in_loop(self._loop, self._resume, call)
                    return
                call = opened.next_call(opened.run(call))
        except Exception as error:  # noqa: BLE001 - the caller gets it
            in_loop(self._loop, self.settle, error)
            return
        outcome = self._encoded()
        self._record(opened, stopwatch)
        in_loop(self._loop, self.settle, outcome)

    def _run(self, call: ModelCall) -> None:
        """Run a decoded call of the model."""
        opened, stopwatch = self._open, Stopwatch()
        if self.is_done:  # the caller is gone
            opened.abandon()
            return
        try:
            outputs = opened.run(call)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            in_loop(self._loop, self.settle, error)
            return
        self._record(opened, stopwatch)
        in_loop(self._loop, self._advance, outputs)

    def _record(self, opened: Opened[Any], stopwatch: Stopwatch) -> None:
        estimate = self._plane.estimate(opened, self._job)
        if estimate is not None:
            estimate.record_threaded(self._job.size, *stopwatch.read())

    def _encode(self) -> None:
        in_loop(self._loop, self.settle, self._encoded())


def _is_batched(opened: Opened[Any], call: ModelCall) -> bool:
    model = opened.servable.model
    return isinstance(model, BatchedModel) and model.route(*call) is not None


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
