"""The data plane: the one entry of protocols, batch jobs and warm-up.

A protocol decodes bytes to a request, and the data plane runs it: `serve` for an event loop, which
stays free, `run` in the calling thread. A request takes one handle on a version, so that a version
is never closed during a call.

After `timeout_seconds` a request fails with DEADLINE_EXCEEDED, while its thread or batch, which
cannot be stopped, still runs to completion. A request that is still queued then fails with
RESOURCE_EXHAUSTED, as in TensorFlow Serving, and never runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from cloudserve.savedmodel.signature import Signature

from ..codecs.limits import DEFAULT_LIMITS, JsonLimits
from ..deferred import Deferred
from ..models import Servable, VersionState
from ..runtime.types import DEFAULT_SIGNATURE, definitions_of, steady_of
from ..status import Code, StatusError
from .example_methods import check_predict_method
from .latency import LatencyEstimate, LatencyEstimates
from .observation import Observer, unobserved
from .opened import Opened, Servables
from .requests import InferenceRequest, Job
from .serving import Serving, too_late
from .slices import Slices
from .turn import Format, Rows, Turn
from .types import Answer, Metadata, ModelSpec

_A = TypeVar("_A", bound=Answer)
_P = TypeVar("_P")
_R = TypeVar("_R", bound=Rows)
_T = TypeVar("_T")


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
        self.executor = executor
        self.slices = Slices()
        self._check_methods = check_methods
        self._observer = observer
        self.json_limits = json_limits
        """Limits of JSON bodies, for parsers."""
        self.latencies = LatencyEstimates()
        """Measured latencies of the signatures that the event loop may run."""

    def serve(self, job: Job[_T], timeout_seconds: float | None = None) -> Deferred[_T]:
        """Return the deferred, encoded answer to a request of the running event loop.

        Its outcome is a StatusError if the request fails.
        """
        return Serving(self, job, timeout_seconds)

    def serve_together(
        self, spec: ModelSpec, payloads: Sequence[_P], form: Format[_P, _R, _T]
    ) -> Sequence[_T | None]:
        """Return the encoded answers to small predictions of one turn of the running event loop.

        They run immediately. None for each that is to be served by itself, of whatever error.
        """
        nothing = [None] * len(payloads)
        try:
            handle = self._manager.handle(spec.name, spec.version, spec.label)
        except StatusError:
            return nothing
        try:
            signature = self._find(spec, handle.servable)
            if signature is None:
                return nothing
            turn = Turn(spec, handle.servable, self._observer, self.latencies)
            return turn.answer(signature, payloads, form)
        finally:
            handle.release()

    def _find(self, spec: ModelSpec, servable: Servable) -> Signature | None:
        """Return the signature of a prediction; None if the request is refused."""
        signature = servable.model.all_signatures.get(spec.signature or DEFAULT_SIGNATURE)
        if signature is not None and self._check_methods:
            try:
                check_predict_method(signature)
            except StatusError:
                return None
        return signature

    def serve_here(self, job: Job[_T]) -> _T:
        """Return the encoded answer to a request, computed in the calling thread."""
        request, encode = job.parsed or job.parse()
        return encode(self.run(request))

    def run(self, request: InferenceRequest[_A]) -> _A:
        """Return the answer to a request, computed in the calling thread. Raises StatusError."""
        return self.open(request).answer_here()

    async def submit(self, work: Callable[[], _T], *, timeout_seconds: float | None = None) -> _T:
        """Run other work of a request in the executor, such as decompression."""
        running = asyncio.get_running_loop().run_in_executor(self.executor, work)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await running
        except TimeoutError as error:
            raise too_late() from error

    def open(self, request: InferenceRequest[_A]) -> Opened[_A]:
        """Take a handle on the request's version. Raises StatusError if there is none."""
        return Opened(request, self._manager, self._observer, check_methods=self._check_methods)

    def estimate(self, opened: Opened[Any], job: Job[Any]) -> LatencyEstimate | None:
        """Return the estimate of a request's latency; None if the loop may never process it."""
        assert job.parsed is not None
        signature, servable = job.parsed[0].signature, opened.servable
        if signature not in steady_of(servable.model):
            return None
        return self.latencies.of(servable.name, servable.version, signature, job.encoding)

    def metadata(self, spec: ModelSpec) -> Metadata:
        """Return the signatures of a version."""
        handle = self._manager.handle(spec.name, spec.version, spec.label)
        try:
            servable = handle.servable
            resolved = ModelSpec(spec.name, servable.version, spec.label, spec.signature)
            return Metadata(resolved, definitions_of(servable.model))
        finally:
            handle.release()

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
