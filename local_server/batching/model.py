"""A loaded model whose calls are batched."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

import numpy as np

from cloudserve.savedmodel.signature import Signature, TensorSpec

from ..runtime.replicas import replicas_of
from ..runtime.types import LoadedModel, Tensor, definitions_of, stateless_of, steady_of
from .costs import RunCosts, is_cheap
from .execution import execute
from .grouping import Grouping
from .groups import GroupQueue
from .observer import BatchObserver, Unobserved
from .padding import batch_size
from .parameters import BatchingParameters, check_queues
from .queues import BatchQueue, Queue
from .requests import Completion, LoopCompletion, Task, Tensors, ThreadCompletion
from .scheduler import Scheduler
from .splitting import check_rows

logger = logging.getLogger(__name__)

Shapes = tuple[tuple[int, ...], ...]
"""The shapes of the rows of inputs, if only equal ones are batched."""
_Key = tuple[frozenset[str], frozenset[str], Shapes]
_Choice = tuple[str, tuple[str, ...], tuple[str, ...], Shapes]
"""A signature, the aliases of its given inputs and of its requested outputs."""
_MOST_CHOICES = 64


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a signature's requests with the same inputs: the queues, and back."""

    queues: Sequence[Queue]
    """One for each replica of the model."""
    inputs: tuple[TensorSpec, ...]
    outputs: Mapping[str, str]
    """Output aliases and the names of their tensors."""

    def answer(self, outputs: Tensors) -> dict[str, Tensor]:
        """Return a task's outputs by alias."""
        return {alias: outputs[name] for alias, name in self.outputs.items()}


class BatchedModel:
    """A LoadedModel with queues for each set of input and output tensors, one for each replica.

    A request goes to the least loaded replica. Signatures over the same tensors share queues, as in
    TensorFlow Serving. A request that cannot be batched runs alone: with inputs of several tensors
    (sparse, ragged), or with arrays of another element type than the signature's, which would
    change the type of the whole batch.

    Without parameters the server batches by itself: requests of one shape and a stateless signature
    with an open first dimension run together once a test has shown that their rows are
    independent. Every other request runs alone, and none is refused.
    """

    def __init__(
        self,
        model: LoadedModel,
        parameters: BatchingParameters | None,
        scheduler: Scheduler,
        observer: BatchObserver | None = None,
    ) -> None:
        if parameters is not None:
            check_queues(parameters)
        self._model = model
        self.replicas = replicas_of(model)
        self._parameters = parameters
        self._scheduler = scheduler
        self._observer = Unobserved() if observer is None else observer
        self._lock = threading.Lock()
        self.steady = steady_of(self.replicas[0])
        self._stateless = stateless_of(self.replicas[0])
        self._queues: dict[_Key, list[Queue]] = {}
        self._routes: dict[_Choice, Route | None] = {}
        self._is_hurried = False
        self.signatures = model.signatures
        self.all_signatures = model.all_signatures
        self.definitions = definitions_of(model)
        scheduler.open()

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], output_filter: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature in a batch, while the calling thread waits; see LoadedModel.

        Raises StatusError with TensorFlow Serving's texts: INVALID_ARGUMENT for inputs that are too
        large or not batches of one size, UNAVAILABLE if the queue is full.
        """
        route = self.route(signature, inputs, output_filter)
        if route is None:
            return self._model.run(signature, inputs, output_filter)
        completion = ThreadCompletion()
        self.add(route, inputs, completion)
        return route.answer(completion.wait())

    async def submit(
        self,
        signature: str,
        inputs: Mapping[str, Tensor],
        output_filter: Sequence[str] = (),
        *,
        deadline: float | None = None,
    ) -> dict[str, Tensor]:
        """Run a signature in a batch for a coroutine; see `add`.

        Cancellation drops only this request.
        """
        route = self.route(signature, inputs, output_filter)
        if route is None:
            return await asyncio.to_thread(self._model.run, signature, inputs, output_filter)
        completion = LoopCompletion()
        self.add(route, inputs, completion, deadline)
        return route.answer(await completion)

    def route(
        self, signature: str, inputs: Mapping[str, Tensor], output_filter: Sequence[str] = ()
    ) -> Route | None:
        """Return a request's route to its queues; None if it runs alone.

        Clients choose inputs and outputs: only a limited number of choices has queues.
        """
        definition = self.all_signatures[signature]
        specs = definition.inputs
        if len(inputs) != len(specs):
            specs = tuple(spec for spec in specs if spec.alias in inputs)
        for spec in specs:
            if spec.alias not in inputs or not _fits(inputs[spec.alias], spec.dtype):
                return None
        shapes: Shapes = ()
        if self._parameters is None:
            if signature not in self._stateless or not _have_rows(specs, inputs):
                return None
            shapes = tuple([inputs[spec.alias].shape[1:] for spec in specs])
        key = signature, tuple([spec.alias for spec in specs]), tuple(output_filter), shapes
        if key not in self._routes:
            with self._lock:
                if len(self._routes) >= len(self.all_signatures) + _MOST_CHOICES:
                    return None
                self._routes[key] = self._make_route(definition, specs, output_filter, shapes)
        return self._routes[key]

    def add(
        self,
        route: Route,
        inputs: Mapping[str, Tensor],
        completion: Completion,
        deadline: float | None = None,
        *,
        others_follow: bool = False,
    ) -> None:
        """Queue a request; its completion gets the outputs by tensor name (`Route.answer`).

        If others follow that are being decoded, a batch waits for them some milliseconds. The
        deadline is in seconds on the scheduler's clock, `time.monotonic`: RESOURCE_EXHAUSTED
        if it has passed for every request of the batch. Raises StatusError as `run` does.
        """
        tensors = {spec.tensor_name: inputs[spec.alias] for spec in route.inputs}
        size = batch_size(list(tensors.values()))
        self._observer.queued(size)
        until = math.inf if deadline is None else deadline
        task = Task(tensors, size, completion, until, self._scheduler.clock())
        if completion.loop is None:
            self._scheduler.add(route.queues, task)
        else:
            # TensorFlow Serving's rules have a time of their own.
            follow = others_follow and self._parameters is None
            self._scheduler.add_in_turn(route.queues, task, completion.loop, others_follow=follow)

    def run_lone(self, route: Route, inputs: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
        """Run a request on the event loop that is probably the only one of its turn.

        None if it is not, or if it is not known to be cheap: then it is to be queued. Raises
        StatusError.
        """
        queue = route.queues[0]
        if not isinstance(queue, GroupQueue) or len(route.queues) > 1:
            return None
        if not self._scheduler.is_lone(asyncio.get_running_loop()):
            return None
        tensors = {spec.tensor_name: inputs[spec.alias] for spec in route.inputs}
        if not is_cheap(queue.seconds_alone(len(next(iter(tensors.values()))))):
            return None
        return route.answer(queue.run(tensors))

    def rows_at_once(self, route: Route, rows: int) -> int:
        """Return how many of so many rows the event loop may run together; 0 if it may not."""
        queue = route.queues[0]
        if not isinstance(queue, GroupQueue) or len(route.queues) > 1:
            return 0
        return queue.rows_at_once(rows)

    def run_rows(
        self, route: Route, inputs: Mapping[str, Tensor], sizes: Sequence[int]
    ) -> dict[str, Tensor]:
        """Run the rows of several requests at once, in the calling thread. Raises StatusError.

        For as many rows as `rows_at_once` returned just now.
        """
        queue, rows = route.queues[0], sum(sizes)
        assert isinstance(queue, GroupQueue)
        for size in set(sizes):
            self._observer.queued(size, sizes.count(size))
        self._observer.ran_in_turn(self._scheduler.name, len(sizes), rows)
        outputs = queue.run({spec.tensor_name: inputs[spec.alias] for spec in route.inputs})
        for array in outputs.values():
            check_rows(array, rows)
        return route.answer(outputs)

    def hurry(self) -> None:
        """Let no request wait for others any more: the server is shutting down."""
        self._is_hurried = True
        self._scheduler.hurry(self._all_queues())

    def close(self) -> None:
        """Run what is queued, then close the model."""
        self._scheduler.drain(self._all_queues())
        self._model.close()
        self._scheduler.close()

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return self._scheduler.waiting(self._all_queues())

    def _all_queues(self) -> list[Queue]:
        with self._lock:
            return [queue for queues in self._queues.values() for queue in queues]

    def _make_route(
        self,
        signature: Signature,
        specs: tuple[TensorSpec, ...],
        output_filter: Sequence[str],
        shapes: Shapes,
    ) -> Route | None:
        chosen = [
            spec for spec in signature.outputs if not output_filter or spec.alias in output_filter
        ]
        if not (_are_plain(specs) and _are_plain(chosen, distinct=False)):
            return None
        if self._parameters is None and not all(map(_is_open, (*specs, *chosen))):
            return None
        outputs = {spec.alias: spec.tensor_name for spec in chosen}
        key = frozenset(spec.tensor_name for spec in specs), frozenset(outputs.values()), shapes
        queues = self._queues.get(key)
        if queues is None:
            is_part = len(chosen) < len(signature.outputs)
            output_filter = tuple(outputs) if is_part else ()
            queues = self._queues[key] = [
                self._make_queue(ModelRun(replica, signature.name, specs, outputs, output_filter))
                for replica in self.replicas
            ]
        return Route(queues, specs, outputs)

    def _make_queue(self, run: ModelRun) -> Queue:
        if self._parameters is None:
            return self._make_group_queue(run)
        parameters = self._parameters

        def process(tasks: Sequence[Task]) -> None:
            now = self._scheduler.clock()
            execute(tasks, run, parameters, now, partial(self._observe, now))

        costs = run.costs if run.signature in self.steady else None
        queue = BatchQueue(parameters, process, costs)
        if self._is_hurried:
            queue.hurry()
        return queue

    def _make_group_queue(self, run: ModelRun) -> Queue:
        def decided(is_proven: bool) -> None:
            queue.is_proven = is_proven
            if not is_proven:
                self._let_run_alone(run.signature)

        def process(tasks: Sequence[Task]) -> None:
            grouping.process(tasks, partial(self._observe, self._scheduler.clock()))

        grouping = Grouping(run, decided)
        queue = GroupQueue(process, run.costs, run)
        return queue

    def _let_run_alone(self, signature: str) -> None:
        logger.info("requests of the signature %s run one by one: rows affect others", signature)
        with self._lock:
            for key in [key for key in self._routes if key[0] == signature]:
                self._routes[key] = None

    def _observe(self, now: float, tasks: Sequence[Task], padding: int) -> None:
        waits = [now - task.queued for task in tasks]
        size = sum(task.size for task in tasks)
        self._observer.ran(self._scheduler.name, waits, size, padding)


@dataclass(frozen=True, slots=True)
class ModelRun:
    """Runs a replica's signature on tensors by name, and measures what it costs."""

    replica: LoadedModel
    signature: str
    inputs: Sequence[TensorSpec]
    outputs: Mapping[str, str]
    output_filter: Sequence[str]
    costs: RunCosts = field(default_factory=RunCosts)

    def __call__(self, tensors: Tensors) -> dict[str, Tensor]:
        """Run once. Raises StatusError."""
        inputs = {spec.alias: tensors[spec.tensor_name] for spec in self.inputs}
        began = perf_counter()
        results = self.replica.run(self.signature, inputs, self.output_filter)
        seconds = perf_counter() - began
        self.costs.record(len(next(iter(inputs.values()))), seconds)
        return {name: results[alias] for alias, name in self.outputs.items()}


def _are_plain(specs: Sequence[TensorSpec], *, distinct: bool = True) -> bool:
    """Return whether each spec is a single tensor, and all are distinct."""
    names = {spec.tensor_name for spec in specs}
    return "" not in names and (len(names) == len(specs) or not distinct)


def _fits(array: Tensor, dtype: str) -> bool:
    """Return whether an array has TensorFlow's dtype; strings are objects or fixed bytes."""
    return _name(array.dtype) == dtype or (dtype == "string" and array.dtype.kind in "OS")


@lru_cache(256)
def _name(dtype: np.dtype[Any]) -> str:
    """Return a dtype's name, which numpy puts together at each call."""
    return dtype.name


def _is_open(spec: TensorSpec) -> bool:
    """Return whether the first dimension of a tensor has any size."""
    return bool(spec.shape) and spec.shape is not None and spec.shape[0] is None


def _have_rows(specs: Sequence[TensorSpec], inputs: Mapping[str, Tensor]) -> bool:
    """Return whether all inputs have the same number of rows, and some."""
    rows = [inputs[spec.alias].shape[:1] for spec in specs]
    return bool(rows) and rows[0] > (0,) and rows.count(rows[0]) == len(rows)
