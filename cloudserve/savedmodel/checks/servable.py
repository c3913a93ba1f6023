"""Can TensorFlow Serving answer requests with a model? Its files say so before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from cloudserve.errors import ModelError
from cloudserve.savedmodel.model import SavedModel

_NAMED = 3


def check_has_signature(model: SavedModel) -> None:
    """Raise ModelError for a model without a signature, which loads and answers no request."""
    if not model.signatures:
        raise ModelError(
            "the model has no signature, so it can answer no request",
            where=str(model.path),
            hint="export it with signatures: model.export('DIRECTORY') in Keras, or "
            "tf.saved_model.save(module, 'DIRECTORY', signatures=module.FUNCTION)",
        )


def check_is_restored(unrestored: Sequence[str], where: str | None) -> None:
    """Raise ModelError where TensorFlow Serving leaves variables of the signatures without a value.

    `unrestored` is `SavedModel.unrestored`; `where` is the model's directory.
    """
    if unrestored:
        raise ModelError(
            f"TensorFlow Serving cannot answer with this model: its restore op leaves "
            f"{say_variables(unrestored)} without a value, and every request that reads one fails "
            f"with `Could not find variable {unrestored[0]}`",
            where=where,
            hint="export it again with model.export('DIRECTORY'): tf.saved_model.save writes a "
            "Keras 3 model that only tf.saved_model.load in Python restores",
        )


def say_variables(names: Sequence[str]) -> str:
    """Return the first of these variables, and how many there are."""
    listed = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        return f"{len(names)} variables ({listed}, …)"
    return f"{'variable' if len(names) == 1 else 'variables'} {listed}"
