"""The data plane: the one entry of protocols, batch jobs and warm-up.

A request takes a handle on a version, decodes, runs and releases the handle within one thread of
the executor, so that the event loop stays free and a version is never closed during a call. A
request that waits in a batch holds the handle without a thread.

After `timeout_seconds` a request fails with DEADLINE_EXCEEDED, while its thread or batch, which
cannot be stopped, still runs to completion. A request that is still queued then fails with
RESOURCE_EXHAUSTED, as in TensorFlow Serving, and never runs.
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

from ..batching import BatchedModel, LoopCompletion
from ..codecs.limits import DEFAULT_LIMITS, JsonLimits
from ..models import Servable, VersionState
from ..runtime.types import DEFAULT_SIGNATURE, Tensor, definitions_of, steady_of
from ..status import Code, StatusError
from . import example_methods as methods
from .example_requests import ExampleRequest, ExampleRequests, Result, run_to_end
from .latency import LatencyEstimate, LatencyEstimates
from .observation import Method, Observation, Observer, unobserved
from .types import Classifications, Metadata, ModelSpec, Prediction, Regressions, Task

_T = TypeVar("_T")
_Answer = TypeVar("_Answer", Classifications, Regressions, tuple[Result, ...])


class UnknownSignatureError(StatusError):
    """A prediction names a signature that the model lacks; each protocol has its own text."""

    def __init__(self, signature: str) -> None:
        text = f'Serving signature name: "{signature}" not found in signature def'
        super().__init__(Code.INVALID_ARGUMENT, text)
        self.signature = signature


Decode = Callable[[Signature], Mapping[str, Tensor]]
"""Decodes a request's payload into arrays by input alias, given its signature."""


class ExecutionMode(Enum):
    """Where a prediction runs."""

    LOOP = "on the event loop: faster than a hand-over to a thread"
    BATCH = "in a batch, for which a coroutine waits"
    THREAD = "in a thread of the executor"


class Servables(Protocol):
    """The source of loaded models: `models.Manager`."""

    def handle(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> AbstractContextManager[Servable]:
        """Hold a version until the block ends. Raises StatusError."""
        ...

    def states(self, name: str) -> tuple[VersionState, ...]:
        """Return the states of a model's versions, highest first."""
        ...


class Inference:
    """Runs requests on the models of a manager. Every error of a request is a StatusError.

    With `check_methods`, the `method_name` of a signature must match the call
    (`enable_signature_method_name_check`). The observer is called for every request to run a model.
    """

    def __init__(
        self,
        manager: Servables,
        executor: Executor,
        *,
        check_methods: bool = False,
        observer: Observer = unobserved,
        json_limits: JsonLimits = DEFAULT_LIMITS,
    ) -> None:
        self._manager = manager
        self._executor = executor
        self._check_methods = check_methods
        self._requests = ExampleRequests(check_methods)
        self._observer = observer
        self.json_limits = json_limits
        """Limits of JSON bodies, for parsers."""
        self.latencies = LatencyEstimates()
        """Measured latencies, recorded by the code that parses and encodes."""
        self._waiting: set[asyncio.Task[Any]] = set()

    async def predict(
        self,
        spec: ModelSpec,
        decode: Decode,
        output_filter: Sequence[str] = (),
        *,
        timeout_seconds: float | None = None,
        small: bool = False,
    ) -> Prediction:
        """Decode and run a request in the executor, or in a batch if the model batches.

        With `small`, a request for a batch is decoded on the event loop. `output_filter` holds the
        aliases of the requested outputs; if empty, all are returned.
        """
        if not self.batches(spec):
            return await self.submit(
                lambda: self.predict_here(spec, decode, output_filter),
                timeout_seconds=timeout_seconds,
            )
        begin = partial(self._predict_in_batch, spec, decode, output_filter, small)
        return await self._in_batch(begin, timeout_seconds)

    async def classify(
        self, spec: ModelSpec, examples: Sequence[bytes], *, timeout_seconds: float | None = None
    ) -> Classifications:
        """Classify serialized `tf.Example`s."""
        return await self._do(self._requests.classify(spec, examples), timeout_seconds)

    async def regress(
        self, spec: ModelSpec, examples: Sequence[bytes], *, timeout_seconds: float | None = None
    ) -> Regressions:
        """Return a value for each serialized `tf.Example`."""
        return await self._do(self._requests.regress(spec, examples), timeout_seconds)

    async def multi_inference(
        self,
        tasks: Sequence[Task],
        examples: Sequence[bytes],
        *,
        timeout_seconds: float | None = None,
    ) -> tuple[Classifications | Regressions, ...]:
        """Run several tasks on the same Examples; the first task's spec selects the version.

        The signatures run one after the other; TensorFlow Serving fetches them in one run.
        """
        return await self._do(self._requests.several(tasks, examples), timeout_seconds)

    async def submit(self, work: Callable[[], _T], *, timeout_seconds: float | None = None) -> _T:
        """Run a request's work in the executor, including parsing and encoding."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, work)
        return await _in_time(running, timeout_seconds)

    def batches(self, spec: ModelSpec) -> bool:
        """Return whether a model batches its requests; False if there is no such model."""
        try:
            with self._handle(spec) as servable:
                return isinstance(servable.model, BatchedModel)
        except StatusError:
            return False

    def execution_mode(self, spec: ModelSpec, size: int) -> ExecutionMode:
        """Return where a prediction with a request of `size` bytes should run."""
        try:
            with self._handle(spec) as servable:
                if isinstance(servable.model, BatchedModel):
                    return ExecutionMode.BATCH
                signature = _find_signature(servable, spec.signature or DEFAULT_SIGNATURE).name
                steady = signature in steady_of(servable.model)
                quick = steady and self._latency(spec, servable).is_quick(size)
                return ExecutionMode.LOOP if quick else ExecutionMode.THREAD
        except StatusError:
            return ExecutionMode.THREAD

    def latency(self, spec: ModelSpec) -> LatencyEstimate:
        """Return the latency estimate of the signature that a request names. Raises StatusError."""
        with self._handle(spec) as servable:
            return self._latency(spec, servable)

    def _latency(self, spec: ModelSpec, servable: Servable) -> LatencyEstimate:
        signature = _find_signature(servable, spec.signature or DEFAULT_SIGNATURE)
        return self.latencies.of(servable.name, servable.version, signature.name)

    async def _in_batch(
        self, begin: Callable[[_Wait], Coroutine[Any, Any, _T]], timeout_seconds: float | None
    ) -> _T:
        """Wait for a request that goes through a queue.

        If the caller is gone, a request that a batch thread has already started still runs to
        completion.
        """
        wait = _Wait(None if timeout_seconds is None else monotonic() + timeout_seconds)
        task = asyncio.ensure_future(begin(wait))
        self._waiting.add(task)
        task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.shield(task)
        except TimeoutError as error:
            if wait.is_cut_short():
                return await task
            raise _too_late() from error
        except asyncio.CancelledError:
            wait.leave()
            raise

    async def _predict_in_batch(
        self,
        spec: ModelSpec,
        decode: Decode,
        output_filter: Sequence[str],
        small: bool,
        wait: _Wait,
    ) -> Prediction:
        with self._observe(Method.PREDICT, spec) as obs, self._handle(spec) as servable:
            signature = self._predict_signature(obs, spec, servable)
            if small:
                obs.inputs = decode(signature)
            else:
                obs.inputs = await self.submit(lambda: decode(signature))
            outputs = await self._run_in_batch(
                obs, servable, wait, signature.name, obs.inputs, output_filter
            )
            obs.answer = prediction = _prediction(spec, servable, signature, outputs)
            return prediction

    async def _do(self, request: ExampleRequest[_Answer], timeout_seconds: float | None) -> _Answer:
        if not self.batches(request.spec):
            return await self.submit(
                lambda: self._do_here(request), timeout_seconds=timeout_seconds
            )
        return await self._in_batch(partial(self._do_in_batch, request), timeout_seconds)

    def _do_here(self, request: ExampleRequest[_Answer]) -> _Answer:
        with (
            self._observe(request.method, request.spec) as obs,
            self._handle(request.spec) as servable,
        ):
            obs.servable, obs.examples, obs.tasks = servable, request.examples, request.tasks
            answer = run_to_end(request.execute(servable), partial(obs.run, servable))
            obs.answer = answer
            return answer

    async def _do_in_batch(self, request: ExampleRequest[_Answer], wait: _Wait) -> _Answer:
        with (
            self._observe(request.method, request.spec) as obs,
            self._handle(request.spec) as servable,
        ):
            obs.servable, obs.examples, obs.tasks = servable, request.examples, request.tasks
            execution = request.execute(servable)
            try:
                call = next(execution)
                while True:
                    call = execution.send(await self._run_in_batch(obs, servable, wait, *call))
            except StopIteration as end:
                answer: _Answer = end.value
            obs.answer = answer
            return answer

    async def _run_in_batch(
        self,
        obs: Observation,
        servable: Servable,
        wait: _Wait,
        signature: str,
        inputs: Mapping[str, Tensor],
        output_filter: Sequence[str] = (),
    ) -> dict[str, Tensor]:
        model = servable.model
        if not isinstance(model, BatchedModel):  # the version has changed in between
            return await self.submit(lambda: obs.run(servable, signature, inputs, output_filter))
        obs.signature, began = signature, perf_counter()
        wait.completion = LoopCompletion()
        outputs = await model.submit(
            signature, inputs, output_filter, deadline=wait.until, completion=wait.completion
        )
        obs.run_seconds += perf_counter() - began
        return outputs

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._waiting.discard(task)
        if not task.cancelled():
            task.exception()  # also retrieved by the waiting caller, if any

    def predict_here(
        self, spec: ModelSpec, decode: Decode, output_filter: Sequence[str] = ()
    ) -> Prediction:
        """Decode and run a request in the calling thread."""
        with self._observe(Method.PREDICT, spec) as obs, self._handle(spec) as servable:
            signature = self._predict_signature(obs, spec, servable)
            obs.inputs = decode(signature)
            outputs = obs.run(servable, signature.name, obs.inputs, output_filter)
            obs.answer = prediction = _prediction(spec, servable, signature, outputs)
            return prediction

    def _predict_signature(
        self, obs: Observation, spec: ModelSpec, servable: Servable
    ) -> Signature:
        obs.servable = servable
        signature = _find_signature(servable, spec.signature or DEFAULT_SIGNATURE)
        if self._check_methods:
            methods.check_predict_method(signature)
        return signature

    def classify_here(self, spec: ModelSpec, examples: Sequence[bytes]) -> Classifications:
        """Classify in the calling thread."""
        return self._do_here(self._requests.classify(spec, examples))

    def regress_here(self, spec: ModelSpec, examples: Sequence[bytes]) -> Regressions:
        """Regress in the calling thread."""
        return self._do_here(self._requests.regress(spec, examples))

    def multi_inference_here(
        self, tasks: Sequence[Task], examples: Sequence[bytes]
    ) -> tuple[Classifications | Regressions, ...]:
        """Run several tasks in the calling thread."""
        return self._do_here(self._requests.several(tasks, examples))

    def _observe(self, method: Method, spec: ModelSpec) -> Observation:
        return Observation(method, spec, self._observer)

    def _handle(self, spec: ModelSpec) -> AbstractContextManager[Servable]:
        return self._manager.handle(spec.name, spec.version, spec.label)

    def metadata(self, spec: ModelSpec) -> Metadata:
        """Return the signatures of a version."""
        with self._handle(spec) as servable:
            resolved = _resolved(spec, servable, spec.signature)
            model = servable.model
            return Metadata(resolved, definitions_of(model))

    def status(self, name: str, version: int | None = None) -> tuple[VersionState, ...]:
        """Return the states of a model's versions, or of one, highest version first.

        Raises StatusError (NOT_FOUND) if there are none.
        """
        states = self._manager.states(name)
        if not states:
            raise StatusError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        if version is None:
            return states
        matching = tuple(state for state in states if state.version == version)
        if not matching:
            raise StatusError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
        return matching


class _Wait:
    """A request's wait in a queue: its deadline on the clock of `monotonic`, and its completion."""

    __slots__ = ("completion", "until")

    def __init__(self, until: float | None) -> None:
        self.until = until
        self.completion: LoopCompletion | None = None

    def is_cut_short(self) -> bool:
        """Leave the queue if the request still waits in it; return whether it did."""
        return self.completion is not None and self.completion.expire()

    def leave(self) -> None:
        """Leave the queue, if the request is in one; nobody waits for its outcome."""
        if self.completion is not None and self.completion.is_queued:
            self.completion.future.cancel()


async def _in_time(running: Awaitable[_T], timeout_seconds: float | None) -> _T:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await running
    except TimeoutError as error:
        raise _too_late() from error


def _too_late() -> StatusError:
    # The text of TensorFlow's DirectSession after RunOptions.timeout_in_ms.
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
