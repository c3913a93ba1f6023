"""A SavedModel run through a session of the C API, as TensorFlow Serving runs it.

Feeding and fetching the signature's tensors loads models that `tf.saved_model.load` refuses, keeps
the state of TF 1 models, and costs a twentieth of a `tf.function` per call.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

from ..status import StatusError
from .arrays import check_dtypes, check_output
from .capi.session import Run, Session
from .dtypes import numpy_dtype
from .errors import closed, status_error
from .loading.restore import Restored
from .memory import give_memory_back
from .types import Ran, Tensor

_MOST_CHOICES = 64


@dataclass(frozen=True, slots=True)
class _Call:
    """A signature made callable: arrays in the order of `aliases`, results in that of `outputs`."""

    run: Run
    aliases: tuple[str, ...]
    dtypes: tuple[np.dtype[Any], ...]
    outputs: tuple[str, ...]


def _timed(call: _Call, arrays: Sequence[Tensor], ran: Ran) -> list[Tensor]:
    began = perf_counter()
    results = call.run(*arrays)
    ran(perf_counter() - began)
    return results


class SessionModel:
    """A model in a session of its own.

    `in_pool` runs several ops of a call at a time in TensorFlow's threads, instead of one after the
    other in the caller's.
    """

    def __init__(
        self, restored: Restored, *, in_pool: bool = False, ran: Ran | None = None
    ) -> None:
        self._session = restored.session
        self._in_pool = in_pool
        self._ran = ran
        self._defaults = restored.defaults
        self._calls: dict[str | tuple[str, ...], _Call] = {}
        self.steady = restored.steady
        self.stateless = restored.stateless
        self.definitions = restored.definitions
        self.all_signatures = MappingProxyType(dict(restored.signatures))
        self.signatures = MappingProxyType(
            {n: s for n, s in restored.signatures.items() if n not in HIDDEN_SIGNATURES}
        )

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature, and of it what the wanted outputs need; see LoadedModel.

        Large outputs are TensorFlow's own memory, and read-only.
        """
        try:
            key = (signature, *wanted) if wanted else signature
            call = self._calls.get(key) or self._prepare(signature, wanted)
            try:
                arrays = [inputs[alias] for alias in call.aliases]
            except KeyError:
                call, arrays = self._complete(signature, inputs, wanted, call)
            check_dtypes(arrays, call.dtypes)
            results = call.run(*arrays) if self._ran is None else _timed(call, arrays, self._ran)
        except StatusError:
            raise
        # OpError; anything else is a defect, unless the session was closed in the meantime.
        except Exception as error:
            raise (closed() if self._session is None else status_error(error)) from error
        return dict(zip(call.outputs, results, strict=True))

    def close(self) -> None:
        """Close the session, and let it go: it is freed with the last call that runs."""
        session, self._session = self._session, None
        self._calls.clear()
        if session is not None:
            session.close()
            del session
            give_memory_back()

    def _prepare(self, name: str, wanted: Sequence[str]) -> _Call:
        """Make the callable of a signature. Two threads may both make it: the last one stays.

        Clients choose what they want: only so many choices are kept.
        """
        signature = self.all_signatures[name]
        session = self._open_session()
        call = self._make(session, name, {spec.alias for spec in signature.inputs}, wanted)
        if not wanted:
            self._calls[name] = call
        elif len(self._calls) < len(self.all_signatures) + _MOST_CHOICES:
            self._calls[name, *wanted] = call
        if self._session is None:
            # Closed in the meantime: what was kept just now would keep the session.
            self._calls.clear()
        return call

    def _complete(
        self, name: str, inputs: Mapping[str, Tensor], wanted: Sequence[str], call: _Call
    ) -> tuple[_Call, list[Tensor]]:
        """Add the signature's defaults; where they do not do, TensorFlow says what it lacks.

        The callable is not kept: a request chooses what it leaves out, of any number of inputs.
        """
        fed = {**self._defaults.get(name, {}), **inputs}
        if not all(alias in fed for alias in call.aliases):
            call = self._make(self._open_session(), name, fed, wanted)
        return call, [fed[alias] for alias in call.aliases]

    def _make(
        self, session: Session, name: str, aliases: Container[str], wanted: Sequence[str]
    ) -> _Call:
        """Make a callable of those inputs of a signature that are given."""
        signature = self.all_signatures[name]
        specs = [spec for spec in signature.inputs if spec.alias in aliases]
        outputs = [spec for spec in signature.outputs if not wanted or spec.alias in wanted]
        feeds = [session.graph.find(spec.tensor_name) for spec in specs]
        fetches = [session.graph.find(spec.tensor_name) for spec in outputs]
        for spec, endpoint in zip(outputs, fetches, strict=True):
            check_output(spec.alias, endpoint.number)
        return _Call(
            session.prepare(feeds, fetches, in_pool=self._in_pool),
            tuple(spec.alias for spec in specs),
            tuple(numpy_dtype(endpoint.number) for endpoint in feeds),
            tuple(spec.alias for spec in outputs),
        )

    def _open_session(self) -> Session:
        if self._session is None:
            raise closed()
        return self._session
