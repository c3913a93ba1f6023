"""A TensorFlow Lite file as a LoadedModel."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from cloudserve.errors import ModelError
from cloudserve.modelfiles.files import ModelFile
from cloudserve.modelfiles.model import read_content
from cloudserve.modelfiles.tflite import LiteCall, LiteModel, read_tflite
from cloudserve.modelfiles.tflite_trust import Trust
from cloudserve.savedmodel.signature import TensorSpec

from ...status import Code, StatusError
from ..arrays import check_dtypes
from ..definitions import definitions
from ..memory import give_memory_back
from ..types import LoadError, Ran, Tensor
from .guard import check_trusted
from .library import make_interpreter
from .pool import Pool
from .runner import Runner
from .steady_ops import STEADY_OPS

_logger = logging.getLogger(__name__)
_CPUS = os.cpu_count() or 1


def load_lite(
    file: ModelFile,
    *,
    as_tensorflow_serving: bool = False,
    interpreters: int = 0,
    threads: int = 1,
    ran: Ran | None = None,
) -> LoadedLite:
    """Load a TensorFlow Lite file, for as many concurrent runs as there are `interpreters`.

    0 interpreters are as many as the CPUs; each has `threads` threads. Signatures have the names of
    the file, or those that TensorFlow Serving gives them. Raises LoadError.
    """
    where = str(file.path)
    try:
        data = read_content(file)
        model = read_tflite(data, where)
        calls = model.served_calls() if as_tensorflow_serving else model.own_calls()
        trust = model.trust({call.subgraph for call in calls})
    except ModelError as error:
        raise LoadError(
            Code.INVALID_ARGUMENT, error.message, where=error.where, hint=error.hint
        ) from error
    most = interpreters or _CPUS
    pool = Pool(partial(_make_runner, data, threads, model, where), most)
    if model.keeps_state:
        _logger.warning("%s keeps state between requests, in each of %d interpreters", where, most)
    return LoadedLite(model, calls, trust, pool, ran)


class LoadedLite:
    """A LoadedModel whose calls run in the interpreters of a pool."""

    def __init__(
        self,
        model: LiteModel,
        calls: Sequence[LiteCall],
        trust: Mapping[int, Trust],
        pool: Pool,
        ran: Ran | None,
    ) -> None:
        self._trust = trust
        self._pool = pool
        self._ran = ran
        self._calls = {call.signature.name: call for call in calls}
        self._dtypes = {
            name: [_numpy_dtype(spec) for spec in call.signature.inputs]
            for name, call in self._calls.items()
        }
        signatures = {name: call.signature for name, call in self._calls.items()}
        self.signatures = self.all_signatures = MappingProxyType(signatures)
        self.definitions = definitions(signatures.values())
        is_steady = not model.keeps_state and STEADY_OPS.issuperset(model.ops)
        self.steady = self.stateless = frozenset(signatures if is_steady else ())

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature, which computes all its outputs; see LoadedModel."""
        call = self._calls[signature]
        arrays = _arrays(call, inputs)
        check_dtypes(arrays, self._dtypes[signature])
        check_trusted(self._trust[call.subgraph], dict(zip(call.inputs, arrays, strict=True)))
        with self._pool.lent(arrays) as runner:
            began = perf_counter()
            results = runner.run(call, arrays)
            seconds = perf_counter() - began
        if self._ran is not None:
            self._ran(seconds)
        outputs = {
            spec.alias: array for spec, array in zip(call.signature.outputs, results, strict=True)
        }
        return {alias: outputs[alias] for alias in wanted} if wanted else outputs

    def close(self) -> None:
        """Let the interpreters go."""
        self._pool.close()
        give_memory_back()


def _make_runner(data: bytes, threads: int, model: LiteModel, where: str) -> Runner:
    try:
        interpreter = make_interpreter(data, threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        if others := [op for op in model.ops if op.startswith("Flex")]:
            reason = f"it has ops of TensorFlow, which this interpreter lacks: {', '.join(others)}"
        raise LoadError(
            Code.INTERNAL,
            f"the TensorFlow Lite model cannot be run: {reason}",
            where=where,
            hint="convert it with the built-in ops of TensorFlow Lite alone",
        ) from error
    return Runner(interpreter)


def _arrays(call: LiteCall, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    missing = [spec.alias for spec in call.signature.inputs if spec.alias not in inputs]
    if missing:
        raise StatusError(
            Code.INVALID_ARGUMENT, f"Missing input TFLite tensor: {', '.join(missing)}"
        )
    return [inputs[spec.alias] for spec in call.signature.inputs]


def _numpy_dtype(spec: TensorSpec) -> np.dtype[Any]:
    return np.dtype(object if spec.dtype == "string" else spec.dtype)
