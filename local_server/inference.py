"""The data plane, once: what every protocol face calls.

A request takes a handle on a version, decodes, runs and gives the handle back within one thread
of the executor, so that the event loop stays free and a version is never closed under a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar

from cloudserve.savedmodel.signature import Signature

from .models import Manager, Servable, VersionState
from .runtime.types import DEFAULT_SIGNATURE, Tensor
from .status import Code, StatusError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a request asks for: without version and label the latest, "" the default signature."""

    name: str
    version: int | None = None
    label: str | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answered, and who: the version and signature that really ran."""

    spec: ModelSpec
    signature: Signature
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The signatures of a version, with the loader's own."""

    spec: ModelSpec
    signatures: Mapping[str, Signature]


Decode = Callable[[Signature], Mapping[str, Tensor]]
"""Turns a request's payload into arrays by input alias, once its signature is known."""


class Inference:
    """Runs the models of a manager. Every error of a request is a StatusError."""

    def __init__(self, manager: Manager, executor: Executor) -> None:
        self._manager = manager
        self._executor = executor

    async def predict(self, spec: ModelSpec, decode: Decode) -> Prediction:
        """Decode and run a request in the executor."""
        return await self.submit(lambda: self.predict_here(spec, decode))

    async def submit(self, work: Callable[[], _T]) -> _T:
        """Do a request's work in the executor; faces that parse and encode as well use this."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def predict_here(self, spec: ModelSpec, decode: Decode) -> Prediction:
        """Decode and run a request in the calling thread."""
        with self._manager.handle(spec.name, spec.version, spec.label) as servable:
            signature = _find_signature(servable, spec.signature or DEFAULT_SIGNATURE)
            outputs = servable.model.run(signature.name, decode(signature))
            return Prediction(_resolved(spec, servable, signature.name), signature, outputs)

    def metadata(self, spec: ModelSpec) -> Metadata:
        """Return what a version takes and gives."""
        with self._manager.handle(spec.name, spec.version, spec.label) as servable:
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


def _find_signature(servable: Servable, name: str) -> Signature:
    signature = servable.model.all_signatures.get(name)
    if signature is None:
        raise StatusError(
            Code.INVALID_ARGUMENT,
            f'Serving signature name: "{name}" not found in signature def',
        )
    return signature


def _resolved(spec: ModelSpec, servable: Servable, signature: str) -> ModelSpec:
    return replace(spec, version=servable.version, signature=signature)
