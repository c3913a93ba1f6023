"""A request that holds a version: its calls of the model, its answer, its observation."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from ..models import Servable, VersionState
from ..runtime.types import Tensor
from ..status import StatusError
from .observation import Observation, Observer
from .requests import InferenceRequest, ModelCall, NotPlainError
from .types import Answer

_A = TypeVar("_A", bound=Answer)


class Handle(Protocol):
    """A counted handle on a version, which is not closed before it is released."""

    @property
    def servable(self) -> Servable:
        """The version."""
        ...

    def release(self) -> None:
        """Release the version, once."""
        ...


class Servables(Protocol):
    """The source of loaded models: `models.Manager`."""

    def handle(self, name: str, version: int | None = None, label: str | None = None) -> Handle:
        """Take a handle on a version. Raises StatusError if there is none."""
        ...

    def states(self, name: str) -> tuple[VersionState, ...]:
        """Return the states of a model's versions, highest first."""
        ...


class Opened(Generic[_A]):
    """A request that holds its version until it has an answer or has failed.

    Its methods are called one after the other, by any threads.
    """

    __slots__ = ("_execution", "_handle", "_observation", "_queued", "answer", "servable")

    answer: _A

    def __init__(
        self,
        request: InferenceRequest[_A],
        servables: Servables,
        observer: Observer,
        *,
        check_methods: bool = False,
    ) -> None:
        """Take a handle on the version. Raises StatusError if there is none."""
        spec = request.spec
        self._observation = obs = Observation(request.method, spec, observer)
        try:
            self._handle = servables.handle(spec.name, spec.version, spec.label)
        except StatusError as error:
            obs.finish(error)
            raise
        obs.servable = self.servable = self._handle.servable
        obs.examples, obs.tasks = request.examples, request.tasks
        self._execution = request.execute(self.servable, check_methods)
        self._queued = 0.0

    def next_call(self, outputs: Mapping[str, Tensor] | None = None) -> ModelCall | None:
        """Continue with the outputs of the last call; return the next one, or None at the end.

        The first one holds the decoded request. Raises the request's error.
        """
        try:
            call = next(self._execution) if outputs is None else self._execution.send(outputs)
        except StopIteration as end:
            self.answer = self._observation.answer = end.value
            self.close()
            return None
        except NotPlainError:  # a thread begins it again
            self.abandon()
            raise
        except BaseException as error:
            self.close(error)
            raise
        if not self._observation.examples:
            self._observation.inputs = call[1]
        return call

    def run(self, call: ModelCall) -> Mapping[str, Tensor]:
        """Run the model in the calling thread. Raises the request's error."""
        signature, inputs, output_filter = call
        run = self.servable.model.run
        self.queued(call)
        try:
            outputs = (
                run(signature, inputs, output_filter) if output_filter else run(signature, inputs)
            )
        except BaseException as error:
            self.close(error)
            raise
        self.ran()
        return outputs

    def queued(self, call: ModelCall) -> None:
        """Record that a call waits for the model."""
        self._observation.signature, self._queued = call[0], perf_counter()

    def ran(self, batch_rows: int = 0, ran_at: float = 0.0) -> None:
        """Record that the model has run; of a queued call, with how many rows and since when."""
        observation = self._observation
        observation.run_seconds += perf_counter() - self._queued
        observation.batch_rows = batch_rows
        if ran_at:
            observation.queue_seconds += ran_at - self._queued

    def answer_here(self) -> _A:
        """Return the answer, computed in the calling thread. Raises the request's error."""
        call = self.next_call()
        while call is not None:
            call = self.next_call(self.run(call))
        return self.answer

    def close(self, error: BaseException | None = None) -> None:
        """Release the version and report the request, which failed if there is an error."""
        self._handle.release()
        self._observation.finish(error)

    def abandon(self) -> None:
        """Release the version of a request that never began."""
        self._handle.release()
