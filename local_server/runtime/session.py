"""A SavedModel run through a Session's callables, as TensorFlow Serving runs it.

Feeding and fetching the signature's tensors loads models that `tf.saved_model.load` refuses, keeps
the state of TF 1 models, and costs 5 us a call where a `tf.function` costs 200. A model whose
variables a Session cannot restore goes to `eager` instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Signature, read_signature

from ..status import Code, StatusError
from .arrays import as_array, dtype_word, is_fed_as
from .eager import load_eagerly
from .errors import load_error, status_error
from .tensorflow import import_tensorflow
from .types import LoadedModel, Tensor

_logger = logging.getLogger(__name__)

_SERVE = ("serve",)
# One thread an op and none between ops: requests are what runs in parallel. On small batches more
# threads an op make a call two to three times slower, and hand-overs cost more than the model.
_THREADS = 1
_IN_CALLERS_THREAD = -1

_Callable = Callable[..., Sequence[Any]]


def load_model(path: Path, tags: tuple[str, ...] = _SERVE) -> LoadedModel:
    """Load the SavedModel at `path` (the folder of saved_model.pb) with these tags.

    Raises LoadError (a ModelError) with TensorFlow's reason in one line.
    """
    tf = import_tensorflow()
    session = _open_session(tf)
    try:
        with session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(session, list(tags), str(path))
            signatures = _read_signatures(meta_graph.signature_def)
            unset = _unset_variables(tf, session, signatures)
    # TensorFlow's loader raises OpError, OSError, RuntimeError, ValueError, and more.
    except Exception as error:
        session.close()
        raise load_error(error, path) from error
    if not unset:
        return SessionModel(session, signatures)
    session.close()
    _logger.info("%s: a session cannot restore %s; loading it eagerly", path, ", ".join(unset))
    return load_eagerly(tf, path, tags, signatures)


def make_callable(session: Any, feeds: Sequence[str], fetches: Sequence[str]) -> _Callable:
    """Return a function of the fed arrays that returns the fetched ones.

    `_make_callable_from_options` is private to TensorFlow, and the only way to name a thread pool:
    -1 runs the graph in the calling thread. Without it, the public and slower `make_callable`.
    """
    private = getattr(session, "_make_callable_from_options", None)
    if private is None:
        public: _Callable = session.make_callable(list(fetches), feed_list=list(feeds))
        return public
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
    options.run_options.inter_op_thread_pool = _IN_CALLERS_THREAD
    call: _Callable = private(options)
    return call


@dataclass(frozen=True, slots=True)
class _Call:
    """A signature made callable: arrays in the order of `dtypes`, results in that of `fetches`."""

    run: _Callable
    dtypes: tuple[np.dtype[Any], ...]
    fetches: Mapping[str, int]


class SessionModel:
    """A model in a Session of its own."""

    def __init__(self, session: Any, signatures: Mapping[str, Signature]) -> None:
        self._session = session
        self._calls: dict[str, _Call] = {}
        self.all_signatures = MappingProxyType(dict(signatures))
        self.signatures = MappingProxyType(
            {name: s for name, s in signatures.items() if name not in HIDDEN_SIGNATURES}
        )

    def run(self, signature: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run a signature; see LoadedModel."""
        arrays = [inputs[spec.alias] for spec in self.all_signatures[signature].inputs]
        try:
            call = self._calls.get(signature) or self._prepare(signature)
            _check_dtypes(arrays, call.dtypes)
            results = call.run(*arrays)
        except StatusError:
            raise
        # OpError, UnicodeDecodeError, and whatever converting an odd array raises.
        except Exception as error:
            raise status_error(error) from error
        return {alias: as_array(results[index]) for alias, index in call.fetches.items()}

    def close(self) -> None:
        """Close the session; the variables go with it."""
        self._calls.clear()
        self._session.close()

    def _prepare(self, name: str) -> _Call:
        """Make the callable of a signature. Two threads may both make it: the last one stays."""
        signature = self.all_signatures[name]
        feeds = [spec.tensor_name for spec in signature.inputs]
        fetches = [spec.tensor_name for spec in signature.outputs]
        run = make_callable(self._session, feeds, fetches)
        tensors = map(self._session.graph.get_tensor_by_name, feeds)
        dtypes = tuple(np.dtype(tensor.dtype.as_numpy_dtype) for tensor in tensors)
        call = _Call(run, dtypes, {spec.alias: i for i, spec in enumerate(signature.outputs)})
        self._calls[name] = call
        return call


def _open_session(tf: Any) -> Any:
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=_THREADS, inter_op_parallelism_threads=_THREADS
    )
    return tf.compat.v1.Session(graph=tf.Graph(), config=config)


def _read_signatures(definitions: Mapping[str, Any]) -> dict[str, Signature]:
    return {name: read_signature(name, definitions[name]) for name in sorted(definitions)}


def _unset_variables(tf: Any, session: Any, signatures: Mapping[str, Signature]) -> list[str]:
    """Return the names of the variables that the signatures read and the restore did not write.

    `tf.saved_model.save` of a Keras 3 model names them apart ("Could not find variable").
    """
    wanted = [spec.tensor_name for s in signatures.values() for spec in s.outputs]
    handles = [op for op in _ancestors(session.graph, wanted) if op.type == "VarHandleOp"]
    checks = [tf.raw_ops.VarIsInitializedOp(resource=op.outputs[0]) for op in handles]
    is_set = session.run(checks) if checks else []
    return sorted(op.name for op, ok in zip(handles, is_set, strict=True) if not ok)


def _ancestors(graph: Any, tensor_names: Sequence[str]) -> list[Any]:
    """Return the ops that these tensors are computed from; names not in the graph are left out."""
    ops = {op.name: op for op in graph.get_operations()}
    found: dict[str, Any] = {}
    pending = [ops[op] for name in tensor_names if (op := name.partition(":")[0]) in ops]
    while pending:
        op = pending.pop()
        if op.name not in found:
            found[op.name] = op
            pending.extend(tensor.op for tensor in op.inputs)
    return list(found.values())


def _check_dtypes(arrays: Sequence[Tensor], dtypes: Sequence[np.dtype[Any]]) -> None:
    """Refuse a wrong element type in the words of the C++ session, which the callable lacks."""
    for index, (array, expected) in enumerate(zip(arrays, dtypes, strict=True)):
        if not is_fed_as(array.dtype, expected):
            raise StatusError(
                Code.INVALID_ARGUMENT,
                f"Expects arg[{index}] to be {dtype_word(expected)} "
                f"but {dtype_word(array.dtype)} is provided",
            )
