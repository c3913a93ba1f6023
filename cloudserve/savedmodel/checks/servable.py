"""Checks that TensorFlow Serving can serve a model, before it is uploaded."""

from __future__ import annotations

from collections.abc import Sequence

from cloudserve.errors import ModelError
from cloudserve.plural import counted
from cloudserve.savedmodel.model import SavedModel

_NAMED = 3


def check_has_signature(model: SavedModel) -> None:
    """Raise ModelError for a model without a signature, which could answer no request."""
    if not model.signatures:
        raise ModelError(
            "the model has no signature, so it can answer no request",
            where=str(model.path),
            hint="export it with signatures: model.export('DIRECTORY') in Keras, or "
            "tf.saved_model.save(module, 'DIRECTORY', signatures=module.FUNCTION)",
        )


def check_is_restored(unrestored: Sequence[str], where: str | None) -> None:
    """Raise ModelError if TensorFlow Serving does not restore variables of the signatures.

    `unrestored` is `SavedModel.unrestored`; `where` is the model's directory.
    """
    if unrestored:
        raise ModelError(
            f"TensorFlow Serving cannot answer with this model: its restore op leaves "
            f"{variables_text(unrestored)} without a value, and every request that reads one fails "
            f"with `Could not find variable {unrestored[0]}`",
            where=where,
            hint="export it again with model.export('DIRECTORY'), or write a copy with `cloudserve "
            "repair`: tf.saved_model.save writes a Keras 3 model that only tf.saved_model.load in "
            "Python restores",
        )


def variables_text(names: Sequence[str]) -> str:
    """Return the first of these variables, and their number."""
    listed = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        return f"{counted(len(names), 'variable')} ({listed}, …)"
    return f"{'variable' if len(names) == 1 else 'variables'} {listed}"
