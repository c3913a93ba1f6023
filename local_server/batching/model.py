"""A loaded model whose calls are batched, for a server that need not know."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cloudserve.savedmodel.signature import Signature, TensorSpec

from ..runtime.replicas import replicas_of
from ..runtime.types import LoadedModel, Tensor, definitions_of
from .execution import execute
from .observer import BatchObserver, Unobserved
from .padding import batch_size
from .parameters import BatchingParameters, check_queues
from .queues import BatchQueue
from .scheduler import Scheduler
from .tasks import LoopTicket, Task, Tensors, ThreadTicket, Ticket

_Key = tuple[frozenset[str], frozenset[str]]
_Choice = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A signature, the aliases of the inputs that are given and of the outputs that are wanted."""
_MOST_CHOICES = 64


@dataclass(frozen=True, slots=True)
class _Route:
    """The way of a signature's requests, with the inputs they give, to their queues."""

    queues: Sequence[BatchQueue]
    """One for each replica of the model."""
    inputs: tuple[TensorSpec, ...]
    outputs: Mapping[str, str]
    """Output aliases and the names of their tensors."""

    def answer(self, outputs: Tensors) -> dict[str, Tensor]:
        """Return a task's outputs by alias."""
        return {alias: outputs[name] for alias, name in self.outputs.items()}


class BatchedModel:
    """A LoadedModel with a queue for each set of input and output tensors and each replica.

    A request goes to the replica that has the least to do. Signatures over the same tensors share
    queues, as in TensorFlow Serving. What no batch can take goes to the model alone: inputs of
    several tensors (sparse, ragged), and arrays of another element type than the signature's, which
    would turn that of their neighbours.
    """

    def __init__(
        self, model: LoadedModel, parameters: BatchingParameters, scheduler: Scheduler,
        observer: BatchObserver | None = None,
    ) -> None:  # fmt: skip
        check_queues(parameters)
        self._model = model
        self.replicas = replicas_of(model)
        self._parameters = parameters
        self._scheduler = scheduler
        self._observer = Unobserved() if observer is None else observer
        self._lock = threading.Lock()
        self._queues: dict[_Key, list[BatchQueue]] = {}
        self._routes: dict[_Choice, _Route | None] = {}
        self._is_hurried = False
        self.signatures = model.signatures
        self.all_signatures = model.all_signatures
        self.definitions = definitions_of(model)
        scheduler.open()

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature among others' requests while the calling thread waits; see LoadedModel.

        Raises StatusError in TensorFlow Serving's words: INVALID_ARGUMENT for inputs that are too
        large or not batches of one size, UNAVAILABLE when the queue is full.
        """
        route = self._route(signature, inputs, wanted)
        if route is None:
            return self._model.run(signature, inputs, wanted)
        ticket = ThreadTicket()
        self._add(route, inputs, ticket, None)
        return route.answer(ticket.wait())

    async def submit(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = (), *,
        deadline: float | None = None, ticket: LoopTicket | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Do the same for a coroutine, without a thread of its own.

        The deadline is in seconds on the scheduler's clock, `time.monotonic`: RESOURCE_EXHAUSTED
        when it has passed for every request of the batch. Cancelling drops the request alone, and
        so does `expire` of a ticket that the caller brings.
        """
        route = self._route(signature, inputs, wanted)
        if route is None:
            return await asyncio.to_thread(self._model.run, signature, inputs, wanted)
        ticket = ticket or LoopTicket()
        ticket.is_queued = True
        self._add(route, inputs, ticket, deadline)
        return route.answer(await ticket.future)

    def hurry(self) -> None:
        """Let no request wait for others any more: the server is about to end."""
        self._is_hurried = True
        self._scheduler.hurry(self._all_queues())

    def close(self) -> None:
        """Run what is queued, then close the model."""
        self._scheduler.drain(self._all_queues())
        self._model.close()
        self._scheduler.close()

    @property
    def waiting(self) -> int:
        """Return how many requests wait to be run."""
        return self._scheduler.waiting(self._all_queues())

    def _all_queues(self) -> list[BatchQueue]:
        with self._lock:
            return [queue for queues in self._queues.values() for queue in queues]

    def _add(
        self, route: _Route, inputs: Mapping[str, Tensor], ticket: Ticket, deadline: float | None
    ) -> None:
        tensors = {spec.tensor_name: inputs[spec.alias] for spec in route.inputs}
        size = batch_size(list(tensors.values()))
        self._observer.queued(size)
        until = math.inf if deadline is None else deadline
        task = Task(tensors, size, ticket, until, self._scheduler.clock())
        self._scheduler.add(route.queues, task)

    def _route(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str]
    ) -> _Route | None:
        """Return a request's way to its queue; None where it goes to the model alone.

        Clients choose what they give and want: only so many choices have queues.
        """
        definition = self.all_signatures[signature]
        specs = tuple(spec for spec in definition.inputs if spec.alias in inputs)
        if not all(_fits(inputs[spec.alias], spec.dtype) for spec in specs):
            return None
        key = signature, tuple(spec.alias for spec in specs), tuple(wanted)
        if key not in self._routes:
            with self._lock:
                if len(self._routes) >= len(self.all_signatures) + _MOST_CHOICES:
                    return None
                self._routes[key] = self._make_route(definition, specs, wanted)
        return self._routes[key]

    def _make_route(
        self, signature: Signature, specs: tuple[TensorSpec, ...], wanted: Sequence[str]
    ) -> _Route | None:
        chosen = [spec for spec in signature.outputs if not wanted or spec.alias in wanted]
        if not (_are_plain(specs) and _are_plain(chosen, distinct=False)):
            return None
        outputs = {spec.alias: spec.tensor_name for spec in chosen}
        key = frozenset(spec.tensor_name for spec in specs), frozenset(outputs.values())
        queues = self._queues.get(key)
        if queues is None:
            is_part = len(chosen) < len(signature.outputs)
            queues = self._queues[key] = [
                self._make_queue(replica, signature.name, specs, outputs, is_part=is_part)
                for replica in self.replicas
            ]
        return _Route(queues, specs, outputs)

    def _make_queue(
        self,
        replica: LoadedModel,
        signature: str,
        specs: Sequence[TensorSpec],
        outputs: Mapping[str, str],
        *,
        is_part: bool,
    ) -> BatchQueue:
        wanted = tuple(outputs) if is_part else ()

        def run(tensors: Tensors) -> dict[str, Tensor]:
            inputs = {spec.alias: tensors[spec.tensor_name] for spec in specs}
            results = replica.run(signature, inputs, wanted)
            return {name: results[alias] for alias, name in outputs.items()}

        def process(tasks: Sequence[Task]) -> None:
            now = self._scheduler.clock()
            execute(tasks, run, self._parameters, now, partial(self._tell, now))

        queue = BatchQueue(self._parameters, process)
        if self._is_hurried:
            queue.hurry()
        return queue

    def _tell(self, now: float, tasks: Sequence[Task], padding: int) -> None:
        waits = [now - task.queued for task in tasks]
        size = sum(task.size for task in tasks)
        self._observer.ran(self._scheduler.name, waits, size, padding)


def _are_plain(specs: Sequence[TensorSpec], *, distinct: bool = True) -> bool:
    """Say whether each spec is one tensor, and each one of its own."""
    names = {spec.tensor_name for spec in specs}
    return "" not in names and (len(names) == len(specs) or not distinct)


def _fits(array: Tensor, dtype: str) -> bool:
    """Say whether an array is of TensorFlow's dtype; strings are objects or fixed bytes."""
    return array.dtype.name == dtype or (dtype == "string" and array.dtype.kind in "OS")
