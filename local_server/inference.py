"""The data plane, once: what every protocol face calls.

A request takes a handle on a version, decodes, runs and gives the handle back within one thread
of the executor, so that the event loop stays free and a version is never closed under a call. A
prediction that waits in a batch holds the handle without a thread.

Methods of the data plane take `within`, the seconds a request may take: past them it fails with
DEADLINE_EXCEEDED while its thread or batch, which nothing can stop, goes on to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from enum import Enum
from time import monotonic, perf_counter
from typing import Protocol, TypeVar

from cloudserve.savedmodel.signature import Signature

from . import example_methods as methods
from .batching import BatchedModel
from .models import Servable, VersionState
from .nouns import Classifications, Metadata, ModelSpec, Prediction, Regressions, Task
from .observing import Method, Observation, Observer, unobserved
from .pace import Pace, Paces
from .runtime.types import DEFAULT_SIGNATURE, Tensor, steady_of
from .status import Code, StatusError

_T = TypeVar("_T")


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
        observer: Observer = unobserved,
    ) -> None:  # fmt: skip
        self._manager = manager
        self._executor = executor
        self._check_methods = check_methods
        self._observer = observer
        self.paces = Paces()
        """How quick requests were; who parses and encodes knows, and notes it."""
        self._waiting: set[asyncio.Task[Prediction]] = set()

    async def predict(
        self, spec: ModelSpec, decode: Decode, *, within: float | None = None, small: bool = False
    ) -> Prediction:
        """Decode and run a request in the executor; where the model batches, among others.

        What is small may then be decoded on the event loop.
        """
        if self.way(spec, 0) is not Way.BATCH:
            return await self.submit(lambda: self.predict_here(spec, decode), within=within)
        until = None if within is None else monotonic() + within
        task = asyncio.ensure_future(self._predict_in_batch(spec, decode, until, small))
        self._waiting.add(task)
        task.add_done_callback(self._ended)
        return await _in_time(asyncio.shield(task), within)

    async def classify(
        self, spec: ModelSpec, examples: Sequence[bytes], *, within: float | None = None
    ) -> Classifications:
        """Classify serialized `tf.Example`s."""
        return await self.submit(lambda: self.classify_here(spec, examples), within=within)

    async def regress(
        self, spec: ModelSpec, examples: Sequence[bytes], *, within: float | None = None
    ) -> Regressions:
        """Give serialized `tf.Example`s a value each."""
        return await self.submit(lambda: self.regress_here(spec, examples), within=within)

    async def multi_inference(
        self, tasks: Sequence[Task], examples: Sequence[bytes], *, within: float | None = None
    ) -> tuple[Classifications | Regressions, ...]:
        """Do several tasks on the same Examples; the first one's spec picks the version.

        The signatures run one after the other, where TensorFlow Serving fetches them in one run.
        """
        return await self.submit(lambda: self.multi_inference_here(tasks, examples), within=within)

    async def submit(self, work: Callable[[], _T], *, within: float | None = None) -> _T:
        """Do a request's work in the executor; faces that parse and encode as well use this."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, work)
        return await _in_time(running, within)

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

    async def _predict_in_batch(
        self, spec: ModelSpec, decode: Decode, until: float | None, small: bool
    ) -> Prediction:
        with self._observe(Method.PREDICT, spec) as seen, self._handle(spec) as servable:
            signature = self._predict_signature(seen, spec, servable)
            if small:
                seen.inputs = decode(signature)
            else:
                seen.inputs = await self.submit(lambda: decode(signature))
            outputs = await self._run_in_batch(seen, servable, signature.name, until)
            seen.answer = prediction = _prediction(spec, servable, signature, outputs)
            return prediction

    async def _run_in_batch(
        self, seen: Observation, servable: Servable, signature: str, until: float | None
    ) -> dict[str, Tensor]:
        model = servable.model
        if not isinstance(model, BatchedModel):  # another version than the one that was looked at
            return await self.submit(lambda: seen.run(servable, signature, seen.inputs))
        seen.signature, began = signature, perf_counter()
        outputs = await model.submit(signature, seen.inputs, deadline=until)
        seen.run_seconds = perf_counter() - began
        return outputs

    def _ended(self, task: asyncio.Task[Prediction]) -> None:
        self._waiting.discard(task)
        if not task.cancelled():
            task.exception()  # told to who waits, if anybody still does

    def predict_here(self, spec: ModelSpec, decode: Decode) -> Prediction:
        """Decode and run a request in the calling thread."""
        with self._observe(Method.PREDICT, spec) as seen, self._handle(spec) as servable:
            signature = self._predict_signature(seen, spec, servable)
            seen.inputs = decode(signature)
            outputs = seen.run(servable, signature.name, seen.inputs)
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
        with self._observe(Method.CLASSIFY, spec) as seen, self._handle(spec) as servable:
            seen.servable, seen.examples = servable, examples
            seen.answer = answer = self._classify(seen, spec, servable, examples)
            return answer

    def regress_here(self, spec: ModelSpec, examples: Sequence[bytes]) -> Regressions:
        """Regress in the calling thread."""
        with self._observe(Method.REGRESS, spec) as seen, self._handle(spec) as servable:
            seen.servable, seen.examples = servable, examples
            seen.answer = answer = self._regress(seen, spec, servable, examples)
            return answer

    def multi_inference_here(
        self, tasks: Sequence[Task], examples: Sequence[bytes]
    ) -> tuple[Classifications | Regressions, ...]:
        """Do several tasks in the calling thread."""
        if not tasks or not tasks[0].spec.name:
            raise StatusError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        which = tasks[0].spec
        with self._observe(Method.MULTI_INFERENCE, which) as seen, self._handle(which) as servable:
            seen.servable, seen.examples, seen.tasks = servable, examples, tasks
            _check_tasks(tasks, servable)
            seen.answer = answers = tuple(
                (self._classify if task.method == methods.CLASSIFY else self._regress)(
                    seen, task.spec, servable, examples
                )
                for task in tasks
            )
            return answers

    def _observe(self, method: Method, spec: ModelSpec) -> Observation:
        return Observation(method, spec, self._observer)

    def _handle(self, spec: ModelSpec) -> AbstractContextManager[Servable]:
        return self._manager.handle(spec.name, spec.version, spec.label)

    def _classify(
        self, seen: Observation, spec: ModelSpec, servable: Servable, examples: Sequence[bytes]
    ) -> Classifications:
        signature = self._example_signature(spec, servable, methods.CLASSIFY)
        methods.check_classification(signature)
        outputs = seen.run(servable, signature.name, methods.to_input(examples))
        labels, scores = methods.read_classes(outputs, len(examples))
        return Classifications(_resolved(spec, servable, signature.name), labels, scores)

    def _regress(
        self, seen: Observation, spec: ModelSpec, servable: Servable, examples: Sequence[bytes]
    ) -> Regressions:
        signature = self._example_signature(spec, servable, methods.REGRESS)
        methods.check_regression(signature)
        outputs = seen.run(servable, signature.name, methods.to_input(examples))
        values = methods.read_values(outputs, len(examples))
        return Regressions(_resolved(spec, servable, signature.name), values)

    def _example_signature(self, spec: ModelSpec, servable: Servable, method: str) -> Signature:
        name = spec.signature or DEFAULT_SIGNATURE
        signature = servable.model.all_signatures.get(name)
        if signature is None:
            text = f"No signature was found with the name: {name}"
            raise StatusError(Code.INVALID_ARGUMENT, text)
        if self._check_methods:
            methods.check_method(signature, method)
        return signature

    def metadata(self, spec: ModelSpec) -> Metadata:
        """Return what a version takes and gives."""
        with self._handle(spec) as servable:
            resolved = _resolved(spec, servable, spec.signature)
            return Metadata(resolved, servable.model.all_signatures)

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


async def _in_time(running: Awaitable[_T], within: float | None) -> _T:
    try:
        async with asyncio.timeout(within):
            return await running
    except TimeoutError as error:
        # What TensorFlow's DirectSession answers when RunOptions.timeout_in_ms is over.
        text = "Timed out waiting for notification"
        raise StatusError(Code.DEADLINE_EXCEEDED, text) from error


def _prediction(
    spec: ModelSpec, servable: Servable, signature: Signature, outputs: Mapping[str, Tensor]
) -> Prediction:
    return Prediction(_resolved(spec, servable, signature.name), signature, outputs)


def _find_signature(servable: Servable, name: str) -> Signature:
    signature = servable.model.all_signatures.get(name)
    if signature is None:
        raise UnknownSignatureError(name)
    return signature


def _check_tasks(tasks: Sequence[Task], servable: Servable) -> None:
    """Refuse tasks of several models, one signature twice, and other methods, in their order."""
    seen: set[str] = set()
    for spec, method in ((task.spec, task.method) for task in tasks):
        name = spec.signature or DEFAULT_SIGNATURE
        if not spec.name:
            text = "Found ModelSpec with an empty model name."
        elif spec.name != servable.name:
            text = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        elif name in seen:
            text = f"Duplicate evaluation of signature: {name}"
        elif name not in servable.model.all_signatures:
            text = f"Requested signature not found in model graph: {name}"
        elif method not in {methods.CLASSIFY, methods.REGRESS}:
            text = f"Unsupported signature method_name: {method}"
            raise StatusError(Code.UNIMPLEMENTED, text)
        else:
            seen.add(name)
            continue
        raise StatusError(Code.INVALID_ARGUMENT, text)


def _resolved(spec: ModelSpec, servable: Servable, signature: str) -> ModelSpec:
    return ModelSpec(spec.name, servable.version, spec.label, signature)
