"""Small predictions of one turn of the event loop, answered together.

What `serving` does for one request, done once for all that arrived in one turn for one model: one
handle on the version, one array for all rows, one run, one conversion of the answers, one
observation. A small request then costs little more than its JSON and its share of the run.

It is a short cut, never a rule of its own: whatever it leaves out is answered by the general path,
which knows the error texts, the threads and the queues. That also runs requests again that failed
together. So only signatures that change nothing are run here, and only on the loop: in the sizes
that the batching model allows for its measured costs, or one by one if it does not batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, TypeVar

from cloudserve.savedmodel.signature import Signature

from ..batching import BatchedModel, Route
from ..defects import DEFECTS
from ..models import Servable
from ..runtime.types import LoadedModel, Tensor, stateless_of
from .latency import LatencyEstimate, LatencyEstimates
from .observation import Observation, Observer
from .types import Method, ModelSpec, Prediction

_P = TypeVar("_P")
_P_contra = TypeVar("_P_contra", contravariant=True)
_R = TypeVar("_R", bound="Rows")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Rows(Protocol):
    """The rows of several requests, those of one after those of the other."""

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        """The rows of all requests, by input alias."""
        ...

    @property
    def sizes(self) -> Sequence[int]:
        """How many rows each request has; 0 for one that is left out."""
        ...

    @property
    def largest(self) -> int:
        """The size of the largest request, in bytes."""
        ...


class Format(Protocol[_P_contra, _R, _T_co]):
    """A protocol's encoding of small predictions."""

    @property
    def encoding(self) -> str:
        """The name of the encoding; see `Job`."""
        ...

    def read(self, signature: Signature, payloads: Sequence[_P_contra]) -> _R:
        """Return the rows of those requests that can be read and have equal shapes."""
        ...

    def write(
        self, rows: _R, indices: Sequence[int], outputs: Mapping[str, Tensor], version: int
    ) -> Sequence[_T_co]:
        """Return the answers to these requests, whose outputs are given. Raises StatusError.

        `version` is the model's version that ran.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Part:
    """Requests that run together: their indices, their numbers of rows, and where these are."""

    indices: Sequence[int]
    sizes: Sequence[int]
    rows: slice

    def of(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the rows of this part."""
        return {alias: tensor[self.rows] for alias, tensor in tensors.items()}


class _Runs(Protocol):
    """How the requests of a turn run: so many rows at once."""

    @property
    def most_rows(self) -> int:
        """How many rows, if no single request has more."""
        ...

    def run(self, inputs: Mapping[str, Tensor], sizes: Sequence[int]) -> Mapping[str, Tensor]:
        """Run requests of these sizes. Raises StatusError."""
        ...


class Turn:
    """The requests of one turn for a signature of a version."""

    def __init__(
        self, spec: ModelSpec, servable: Servable, observer: Observer, latencies: LatencyEstimates
    ) -> None:
        """Take the requested model, the version it stands for, and what learns of requests."""
        self._spec = spec
        self._servable = servable
        self._observer = observer
        self._latencies = latencies

    def answer(
        self, signature: Signature, payloads: Sequence[_P], form: Format[_P, _R, _T]
    ) -> list[_T | None]:
        """Return the encoded answers; None for a request that is left to the general path."""
        answers: list[_T | None] = [None] * len(payloads)
        rows = form.read(signature, payloads)
        runs = self._runs(signature.name, rows, form.encoding) if rows.inputs else None
        if runs is None:
            return answers
        for part in _parts(rows.sizes, runs.most_rows):
            try:
                written = self._answer(part, rows, signature, runs, form)
            except Exception as error:  # noqa: BLE001 - it may be the error of one of them alone
                DEFECTS.report("the run of small requests together", error)
                continue
            for index, one in zip(part.indices, written, strict=True):
                answers[index] = one
        return answers

    def _answer(
        self, part: _Part, rows: _R, signature: Signature, runs: _Runs, form: Format[_P, _R, _T]
    ) -> Sequence[_T]:
        spec, version = self._spec, self._servable.version
        observation = Observation(Method.PREDICT, spec, self._observer)
        observation.servable, observation.signature = self._servable, signature.name
        observation.rows = part.sizes
        if len(part.sizes) > 1:
            observation.batch_rows = sum(part.sizes)
        observation.inputs = part.of(rows.inputs)
        began = perf_counter()
        outputs = runs.run(observation.inputs, part.sizes)
        observation.run_seconds = perf_counter() - began
        resolved = ModelSpec(spec.name, version, spec.label, signature.name)
        observation.answer = Prediction(resolved, signature, outputs)
        written = form.write(rows, part.indices, outputs, version)
        observation.finish()
        return written

    def _runs(self, signature: str, rows: Rows, encoding: str) -> _Runs | None:
        """Return how to run rows on the loop; None if they may not run there."""
        servable = self._servable
        model = servable.model
        if isinstance(model, BatchedModel):
            route = model.route(signature, rows.inputs)
            most = model.rows_at_once(route, sum(rows.sizes)) if route else 0
            return _InBatches(model, route, most) if route and most else None
        estimate = self._latencies.of(servable.name, servable.version, signature, encoding)
        if signature in stateless_of(model) and estimate.is_quick(rows.largest):
            return _OneByOne(model, signature, estimate)
        return None


@dataclass(frozen=True, slots=True)
class _InBatches:
    model: BatchedModel
    route: Route

    most_rows: int

    def run(self, inputs: Mapping[str, Tensor], sizes: Sequence[int]) -> Mapping[str, Tensor]:
        return self.model.run_rows(self.route, inputs, sizes)


@dataclass(frozen=True, slots=True)
class _OneByOne:
    model: LoadedModel
    signature: str
    estimate: LatencyEstimate
    most_rows: int = 1

    def run(
        self,
        inputs: Mapping[str, Tensor],
        sizes: Sequence[int],  # noqa: ARG002  it is one request
    ) -> Mapping[str, Tensor]:
        began = perf_counter()
        outputs = self.model.run(self.signature, inputs)
        self.estimate.record_on_loop(perf_counter() - began)
        return outputs


def _parts(sizes: Sequence[int], most_rows: int) -> Iterator[_Part]:
    """Yield parts of so many rows at most, and at least one request."""
    total = sum(sizes)
    if total <= most_rows and 0 not in sizes:
        yield _Part(range(len(sizes)), sizes, slice(0, total))
        return
    indices: list[int] = []
    start = stop = 0
    for index, size in enumerate(sizes):
        if indices and stop - start + size > most_rows:
            yield _Part(indices, [sizes[i] for i in indices], slice(start, stop))
            indices, start = [], stop
        if size:
            indices.append(index)
            stop += size
    if indices:
        yield _Part(indices, [sizes[i] for i in indices], slice(start, stop))
