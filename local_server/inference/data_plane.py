"""The data plane, once: what every protocol face calls.

A request takes a handle on a version, decodes, runs and gives the handle back within one thread
of the executor, so that the event loop stays free and a version is never closed under a call. One
that waits in a batch holds the handle without a thread.

Methods of the data plane take `within`, the seconds a request may take: past them it fails with
DEADLINE_EXCEEDED while its thread or batch, which nothing can stop, goes on to its end; one that
still waits in a queue fails with RESOURCE_EXHAUSTED, as in TensorFlow Serving, and is not run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from enum import Enum
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Protocol, TypeVar

from cloudserve.savedmodel.signature import Signature

from ..batching import BatchedModel, LoopTicket
from ..codecs.limits import DEFAULT_LIMITS, JsonLimits
from ..models import Servable, VersionState
from ..runtime.types import DEFAULT_SIGNATURE, Tensor, definitions_of, steady_of
from ..status import Code, StatusError
from . import example_methods as methods
from .example_jobs import Job, Jobs, Result, finish
from .nouns import Classifications, Metadata, ModelSpec, Prediction, Regressions, Task
from .observing import Method, Observation, Observer, unobserved
from .pace import Pace, Paces

_T = TypeVar("_T")
_Answer = TypeVar("_Answer", Classifications, Regressions, tuple[Result, ...])


class UnknownSignatureError(StatusError):
    """A model does not have the signature that a prediction named; each face has words for it."""

    def __init__(self, signature: str) -> None:
        text = f'Serving signature name: "{signature}" not found in signature def'
        super().__init__(Code.INVALID_ARGUMENT, text)
        self.signature = signature


Decode = Callable[[Signature], Mapping[str, Tensor]]
"""Turns a request's payload into arrays by input alias, once its signature is known."""


class Way(Enum):
    """How a prediction is run."""

    LOOP = "on the event loop, whole: it is quicker than to hand it on"
    BATCH = "by a coroutine, that waits in a batch"
    THREAD = "in a thread of the executor, whole"


class Servables(Protocol):
    """Who has the models: `models.Manager`."""

    def handle(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> AbstractContextManager[Servable]:
        """Hold a version while the block runs. Raises StatusError."""
        ...

    def states(self, name: str) -> tuple[VersionState, ...]:
        """Return the states of a model's versions, highest first."""
        ...


class Inference:
    """Runs the models of a manager. Every error of a request is a StatusError.

    With `check_methods`, the `method_name` of a signature has to be that of the call
    (`enable_signature_method_name_check`). The observer is told of every request for a model's run.
    """

    def __init__(
        self, manager: Servables, executor: Executor, *, check_methods: bool = False,
        observer: Observer = unobserved, json_limits: JsonLimits = DEFAULT_LIMITS,
    ) -> None:  # fmt: skip
        self._manager = manager
        self._executor = executor
        self._check_methods = check_methods
        self._jobs = Jobs(check_methods)
        self._observer = observer
        self.json_limits = json_limits
        """What a JSON body may take; who parses keeps to it."""
        self.paces = Paces()
        """How quick requests were; who parses and encodes knows, and notes it."""
        self._waiting: set[asyncio.Task[Any]] = set()

    async def predict(
        self, spec: ModelSpec, decode: Decode, wanted: Sequence[str] = (), *,
        within: float | None = None, small: bool = False,
    ) -> Prediction:  # fmt: skip
        """Decode and run a request in the executor; where the model batches, among others.

        What is small may then be decoded on the event loop. `wanted` are the aliases of the outputs
        that are asked for, all where there are none.
        """
        if not self.batches(spec):
            return await self.submit(lambda: self.predict_here(spec, decode, wanted), within=within)
        begin = partial(self._predict_in_batch, spec, decode, wanted, small)
        return await self._in_batch(begin, within)

    async def classify(
        self, spec: ModelSpec, examples: Sequence[bytes], *, within: float | None = None
    ) -> Classifications:
        """Classify serialized `tf.Example`s."""
        return await self._do(self._jobs.classify(spec, examples), within)

    async def regress(
        self, spec: ModelSpec, examples: Sequence[bytes], *, within: float | None = None
    ) -> Regressions:
        """Give serialized `tf.Example`s a value each."""
        return await self._do(self._jobs.regress(spec, examples), within)

    async def multi_inference(
        self, tasks: Sequence[Task], examples: Sequence[bytes], *, within: float | None = None
    ) -> tuple[Classifications | Regressions, ...]:
        """Do several tasks on the same Examples; the first one's spec picks the version.

        The signatures run one after the other, where TensorFlow Serving fetches them in one run.
        """
        return await self._do(self._jobs.several(tasks, examples), within)

    async def submit(self, work: Callable[[], _T], *, within: float | None = None) -> _T:
        """Do a request's work in the executor; faces that parse and encode as well use this."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, work)
        return await _in_time(running, within)

    def batches(self, spec: ModelSpec) -> bool:
        """Say whether requests for a model wait for others; not for one that is not there."""
        try:
            with self._handle(spec) as servable:
                return isinstance(servable.model, BatchedModel)
        except StatusError:
            return False

    def way(self, spec: ModelSpec, size: int) -> Way:
        """Return how a prediction is best run whose request is of so many bytes."""
        try:
            with self._handle(spec) as servable:
                if isinstance(servable.model, BatchedModel):
                    return Way.BATCH
                signature = _find_signature(servable, spec.signature or DEFAULT_SIGNATURE).name
                steady = signature in steady_of(servable.model)
                quick = steady and self._pace(spec, servable).is_quick(size)
                return Way.LOOP if quick else Way.THREAD
        except StatusError:
            return Way.THREAD

    def pace(self, spec: ModelSpec) -> Pace:
        """Return the pace of the signature that a request asks for. Raises StatusError."""
        with self._handle(spec) as servable:
            return self._pace(spec, servable)

    def _pace(self, spec: ModelSpec, servable: Servable) -> Pace:
        signature = _find_signature(servable, spec.signature or DEFAULT_SIGNATURE)
        return self.paces.of(servable.name, servable.version, signature.name)

    async def _in_batch(
        self, begin: Callable[[_Wait], Coroutine[Any, Any, _T]], within: float | None
    ) -> _T:
        """Wait for a request on its way through a queue.

        Where who waits is gone, one that a batch thread has begun with goes on to its end.
        """
        wait = _Wait(None if within is None else monotonic() + within)
        task = asyncio.ensure_future(begin(wait))
        self._waiting.add(task)
        task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(within):
                return await asyncio.shield(task)
        except TimeoutError as error:
            if wait.is_cut_short():
                return await task
            raise _too_late() from error
        except asyncio.CancelledError:
            wait.leave()
            raise

    async def _predict_in_batch(
        self, spec: ModelSpec, decode: Decode, wanted: Sequence[str], small: bool, wait: _Wait
    ) -> Prediction:
        with self._observe(Method.PREDICT, spec) as seen, self._handle(spec) as servable:
            signature = self._predict_signature(seen, spec, servable)
            if small:
                seen.inputs = decode(signature)
            else:
                seen.inputs = await self.submit(lambda: decode(signature))
            outputs = await self._run_in_batch(
                seen, servable, wait, signature.name, seen.inputs, wanted
            )
            seen.answer = prediction = _prediction(spec, servable, signature, outputs)
            return prediction

    async def _do(self, job: Job[_Answer], within: float | None) -> _Answer:
        if not self.batches(job.spec):
            return await self.submit(lambda: self._do_here(job), within=within)
        return await self._in_batch(partial(self._do_in_batch, job), within)

    def _do_here(self, job: Job[_Answer]) -> _Answer:
        with self._observe(job.method, job.spec) as seen, self._handle(job.spec) as servable:
            seen.servable, seen.examples, seen.tasks = servable, job.examples, job.tasks
            answer = finish(job.steps(servable), partial(seen.run, servable))
            seen.answer = answer
            return answer

    async def _do_in_batch(self, job: Job[_Answer], wait: _Wait) -> _Answer:
        with self._observe(job.method, job.spec) as seen, self._handle(job.spec) as servable:
            seen.servable, seen.examples, seen.tasks = servable, job.examples, job.tasks
            steps = job.steps(servable)
            try:
                ask = next(steps)
                while True:
                    ask = steps.send(await self._run_in_batch(seen, servable, wait, *ask))
            except StopIteration as end:
                answer: _Answer = end.value
            seen.answer = answer
            return answer

    async def _run_in_batch(
        self, seen: Observation, servable: Servable, wait: _Wait,
        signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = (),
    ) -> dict[str, Tensor]:  # fmt: skip
        model = servable.model
        if not isinstance(model, BatchedModel):  # another version than the one that was looked at
            return await self.submit(lambda: seen.run(servable, signature, inputs, wanted))
        seen.signature, began = signature, perf_counter()
        wait.ticket = LoopTicket()
        outputs = await model.submit(
            signature, inputs, wanted, deadline=wait.until, ticket=wait.ticket
        )
        seen.run_seconds += perf_counter() - began
        return outputs

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._waiting.discard(task)
        if not task.cancelled():
            task.exception()  # told to who waits, if anybody still does

    def predict_here(
        self, spec: ModelSpec, decode: Decode, wanted: Sequence[str] = ()
    ) -> Prediction:
        """Decode and run a request in the calling thread."""
        with self._observe(Method.PREDICT, spec) as seen, self._handle(spec) as servable:
            signature = self._predict_signature(seen, spec, servable)
            seen.inputs = decode(signature)
            outputs = seen.run(servable, signature.name, seen.inputs, wanted)
            seen.answer = prediction = _prediction(spec, servable, signature, outputs)
            return prediction

    def _predict_signature(
        self, seen: Observation, spec: ModelSpec, servable: Servable
    ) -> Signature:
        seen.servable = servable
        signature = _find_signature(servable, spec.signature or DEFAULT_SIGNATURE)
        if self._check_methods:
            methods.check_predict_method(signature)
        return signature

    def classify_here(self, spec: ModelSpec, examples: Sequence[bytes]) -> Classifications:
        """Classify in the calling thread."""
        return self._do_here(self._jobs.classify(spec, examples))

    def regress_here(self, spec: ModelSpec, examples: Sequence[bytes]) -> Regressions:
        """Regress in the calling thread."""
        return self._do_here(self._jobs.regress(spec, examples))

    def multi_inference_here(
        self, tasks: Sequence[Task], examples: Sequence[bytes]
    ) -> tuple[Classifications | Regressions, ...]:
        """Do several tasks in the calling thread."""
        return self._do_here(self._jobs.several(tasks, examples))

    def _observe(self, method: Method, spec: ModelSpec) -> Observation:
        return Observation(method, spec, self._observer)

    def _handle(self, spec: ModelSpec) -> AbstractContextManager[Servable]:
        return self._manager.handle(spec.name, spec.version, spec.label)

    def metadata(self, spec: ModelSpec) -> Metadata:
        """Return what a version takes and gives."""
        with self._handle(spec) as servable:
            resolved = _resolved(spec, servable, spec.signature)
            model = servable.model
            return Metadata(resolved, model.all_signatures, definitions_of(model))

    def status(self, name: str, version: int | None = None) -> tuple[VersionState, ...]:
        """Return the states of a model's versions, or of one, highest version first.

        Raises StatusError (NOT_FOUND) when there are none.
        """
        states = self._manager.states(name)
        if not states:
            raise StatusError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        if version is None:
            return states
        found = tuple(state for state in states if state.version == version)
        if not found:
            raise StatusError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
        return found


class _Wait:
    """A request's wait in a queue: until when, on the clock of `monotonic`, and its place."""

    __slots__ = ("ticket", "until")

    def __init__(self, until: float | None) -> None:
        self.until = until
        self.ticket: LoopTicket | None = None

    def is_cut_short(self) -> bool:
        """Give the place up if the request still waits for its turn; return whether it did."""
        return self.ticket is not None and self.ticket.expire()

    def leave(self) -> None:
        """Give the place up, if there is one, with nobody to tell."""
        if self.ticket is not None and self.ticket.is_queued:
            self.ticket.future.cancel()


async def _in_time(running: Awaitable[_T], within: float | None) -> _T:
    try:
        async with asyncio.timeout(within):
            return await running
    except TimeoutError as error:
        raise _too_late() from error


def _too_late() -> StatusError:
    # What TensorFlow's DirectSession answers when RunOptions.timeout_in_ms is over.
    return StatusError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")


def _prediction(
    spec: ModelSpec, servable: Servable, signature: Signature, outputs: Mapping[str, Tensor]
) -> Prediction:
    return Prediction(_resolved(spec, servable, signature.name), signature, outputs)


def _find_signature(servable: Servable, name: str) -> Signature:
    signature = servable.model.all_signatures.get(name)
    if signature is None:
        raise UnknownSignatureError(name)
    return signature


def _resolved(spec: ModelSpec, servable: Servable, signature: str) -> ModelSpec:
    return ModelSpec(spec.name, servable.version, spec.label, signature)
