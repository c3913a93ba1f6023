"""The eager loader behind the interface of `session`, for what a Session cannot restore."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Signature

from ..status import Code, StatusError
from .arrays import as_array
from .errors import load_error, status_error
from .types import Tensor


def load_eagerly(
    tf: Any, path: Path, tags: tuple[str, ...], signatures: Mapping[str, Signature]
) -> EagerModel:
    """Load a SavedModel with `tf.saved_model.load`. Raises LoadError."""
    try:
        return EagerModel(tf, tf.saved_model.load(str(path), tags=list(tags)), signatures)
    # The loader raises whatever the objects of the model raise while they are restored.
    except Exception as error:
        raise load_error(error, path) from error


class EagerModel:
    """A model whose signatures are TensorFlow functions."""

    def __init__(self, tf: Any, loaded: Any, signatures: Mapping[str, Signature]) -> None:
        self._tf = tf
        # The functions hold their variables weakly: the loaded object has to stay.
        self._loaded = loaded
        self.all_signatures = MappingProxyType(dict(signatures))
        self.signatures = MappingProxyType(
            {name: s for name, s in signatures.items() if name not in HIDDEN_SIGNATURES}
        )

    def run(self, signature: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run a signature; see LoadedModel."""
        if self._loaded is None:
            raise StatusError(Code.CANCELLED, "Session has been closed.")
        given = {spec: inputs[spec.alias] for spec in self.all_signatures[signature].inputs}
        try:
            feeds = {s.alias: self._tf.constant(a, dtype=s.dtype) for s, a in given.items()}
            results = self._loaded.signatures[signature](**feeds)
            return {alias: as_array(tensor.numpy()) for alias, tensor in results.items()}
        # OpError, and TypeError or ValueError of a function refusing its arguments.
        except Exception as error:
            raise status_error(error) from error

    def close(self) -> None:
        """Let the variables go."""
        self._loaded = None
