"""An ONNX file as a LoadedModel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from cloudserve.modelfiles.files import ModelFile
from cloudserve.modelfiles.onnx import OnnxModel
from cloudserve.savedmodel.signature import TensorSpec

from ...status import invalid_argument
from ..arrays import check_dtypes
from ..definitions import definitions
from ..errors import closed
from ..memory import give_memory_back
from ..options import SessionOptions
from ..types import Ran, Tensor
from .errors import run_error
from .session import describe, make_session
from .steady_ops import STEADY_OPS
from .strings import to_bytes, to_texts

_LONG_LONG = {"q": np.int64, "Q": np.uint64}


def load_onnx(file: ModelFile, options: SessionOptions, ran: Ran | None = None) -> LoadedOnnx:
    """Load an ONNX file. Raises LoadError."""
    model = describe(file)
    return LoadedOnnx(model, make_session(file.path, options), ran)


class LoadedOnnx:
    """A LoadedModel in a session of onnxruntime, which runs several requests at once."""

    def __init__(self, model: OnnxModel, session: Any, ran: Ran | None) -> None:
        self._session = session
        self._ran = ran
        self._signature = signature = model.signature()
        self._dtypes = [_numpy_dtype(spec) for spec in signature.inputs]
        self._texts = {spec.alias for spec in signature.inputs if spec.dtype == "string"}
        self.signatures = self.all_signatures = MappingProxyType({signature.name: signature})
        self.definitions = definitions([signature])
        is_steady = STEADY_OPS.issuperset(model.ops)
        self.steady = self.stateless = frozenset(self.signatures if is_steady else ())

    def run(
        self,
        signature: str,  # noqa: ARG002 - there is one
        inputs: Mapping[str, Tensor],
        wanted: Sequence[str] = (),
    ) -> dict[str, Tensor]:
        """Run the model, and of it what the wanted outputs need; see LoadedModel."""
        feeds = self._feeds(inputs)
        names = list(wanted) or [spec.alias for spec in self._signature.outputs]
        session = self._session
        if session is None:
            raise closed()
        began = perf_counter()
        try:
            results = session.run(names, feeds)
        # Its exceptions have no common base but Exception.
        except Exception as error:
            raise run_error(error) from error
        if self._ran is not None:
            self._ran(perf_counter() - began)
        return {name: _as_array(result) for name, result in zip(names, results, strict=True)}

    def close(self) -> None:
        """Let the session go: it is freed with the last call that runs."""
        self._session = None
        give_memory_back()

    def _feeds(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        specs = self._signature.inputs
        missing = [spec.alias for spec in specs if spec.alias not in inputs]
        if missing:
            raise invalid_argument(f"the inputs {', '.join(missing)} are missing")
        arrays = [inputs[spec.alias] for spec in specs]
        check_dtypes(arrays, self._dtypes)
        return {
            spec.alias: to_texts(spec.alias, array) if spec.alias in self._texts else array
            for spec, array in zip(specs, arrays, strict=True)
        }


def _as_array(result: Any) -> Tensor:
    """Return an output, of the element types that the codecs know."""
    array = np.asarray(result)
    if array.dtype.kind in "OU":
        return to_bytes(array)
    # onnxruntime's int64 is C's `long long`, which is another type to numpy.
    same = _LONG_LONG.get(array.dtype.char)
    return array if same is None else array.view(same)


def _numpy_dtype(spec: TensorSpec) -> np.dtype[Any]:
    return np.dtype(object if spec.dtype == "string" else spec.dtype)
