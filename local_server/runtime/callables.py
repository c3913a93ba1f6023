"""A SavedModel run through a Session's callables, as TensorFlow Serving runs it.

Feeding and fetching the signature's tensors loads models that `tf.saved_model.load` refuses, keeps
the state of TF 1 models, and costs 5 us a call where a `tf.function` costs 200.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

from ..status import StatusError
from .arrays import as_array, check_dtypes, fetched_as
from .errors import closed, status_error
from .memory import close_session, give_memory_back
from .restore import Restored
from .types import Ran, Tensor

_IN_CALLERS_THREAD = -1
_IN_THE_POOL = 0
_MOST_CHOICES = 64

_Callable = Callable[..., Sequence[Any]]


def make_callable(
    session: Any, feeds: Sequence[str], fetches: Sequence[str], *, in_pool: bool = False
) -> _Callable:
    """Return a function of the fed arrays that returns the fetched ones.

    `_make_callable_from_options` is private to TensorFlow, and the only way to name a thread pool:
    -1 runs the graph in the calling thread where it is all on the CPU. Without it, the public and
    slower `make_callable`.
    """
    private = getattr(session, "_make_callable_from_options", None)
    if private is None:
        public: _Callable = session.make_callable(list(fetches), feed_list=list(feeds))
        return public
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
    options.run_options.inter_op_thread_pool = _IN_THE_POOL if in_pool else _IN_CALLERS_THREAD
    call: _Callable = private(options)
    return call


@dataclass(frozen=True, slots=True)
class _Call:
    """A signature made callable: arrays in the order of `aliases`, results as `fetches` counts.

    A result has the dtype beside its number, if there is one (`fetched_as`).
    """

    run: _Callable
    aliases: tuple[str, ...]
    dtypes: tuple[np.dtype[Any], ...]
    fetches: Mapping[str, tuple[int, np.dtype[Any] | None]]


def _timed(call: _Call, arrays: Sequence[Tensor], ran: Ran) -> Sequence[Any]:
    began = perf_counter()
    results = call.run(*arrays)
    ran(perf_counter() - began)
    return results


class SessionModel:
    """A model in a Session of its own.

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
        self.definitions = restored.definitions
        self.all_signatures = MappingProxyType(dict(restored.signatures))
        self.signatures = MappingProxyType(
            {n: s for n, s in restored.signatures.items() if n not in HIDDEN_SIGNATURES}
        )

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature, and of it what the wanted outputs need; see LoadedModel."""
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
        # OpError, UnicodeDecodeError, and whatever converting an odd array raises.
        except Exception as error:
            raise (closed() if self._session is None else status_error(error)) from error
        return {alias: as_array(results[i], dtype) for alias, (i, dtype) in call.fetches.items()}

    def close(self) -> None:
        """Close the session, and let it go: only then do its variables."""
        session, self._session = self._session, None
        self._calls.clear()
        if session is not None:
            close_session(session)
            del session
            give_memory_back()

    def _prepare(self, name: str, wanted: Sequence[str]) -> _Call:
        """Make the callable of a signature. Two threads may both make it: the last one stays.

        Clients choose what they want: only so many choices are kept.
        """
        signature = self.all_signatures[name]
        call = self._make(name, {spec.alias for spec in signature.inputs}, wanted)
        if not wanted:
            self._calls[name] = call
        elif len(self._calls) < len(self.all_signatures) + _MOST_CHOICES:
            self._calls[name, *wanted] = call
        return call

    def _complete(
        self, name: str, inputs: Mapping[str, Tensor], wanted: Sequence[str], call: _Call
    ) -> tuple[_Call, list[Tensor]]:
        """Add the signature's defaults; where they do not do, TensorFlow says what it lacks.

        The callable is not kept: a request chooses what it leaves out, of any number of inputs.
        """
        given = {**self._defaults.get(name, {}), **inputs}
        if not all(alias in given for alias in call.aliases):
            call = self._make(name, given, wanted)
        return call, [given[alias] for alias in call.aliases]

    def _make(self, name: str, given: Container[str], wanted: Sequence[str]) -> _Call:
        """Make a callable of those inputs of a signature that are given."""
        session = self._session
        if session is None:
            raise closed()
        signature = self.all_signatures[name]
        specs = [spec for spec in signature.inputs if spec.alias in given]
        outputs = [spec for spec in signature.outputs if not wanted or spec.alias in wanted]
        feeds = [spec.tensor_name for spec in specs]
        fetches = [spec.tensor_name for spec in outputs]
        run = make_callable(session, feeds, fetches, in_pool=self._in_pool)
        find = session.graph.get_tensor_by_name
        given_as = [fetched_as(spec.alias, find(spec.tensor_name).dtype) for spec in outputs]
        tensors = map(find, feeds)
        return _Call(
            run,
            tuple(spec.alias for spec in specs),
            tuple(np.dtype(tensor.dtype.as_numpy_dtype) for tensor in tensors),
            {spec.alias: (i, given_as[i]) for i, spec in enumerate(outputs)},
        )
