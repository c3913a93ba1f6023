"""Keras models, modules and loaded models as SavedModels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudserve.savedmodel import read_saved_model
from cloudserve.savedmodel.signature import PREDICT_METHOD

from ..rewriting.copies import read_model, write_model
from ..rewriting.variables import share_restored_names
from .keras_files import is_keras_2
from .served import Served


def write_objects(tf: Any, model: Any, served: Mapping[str, Served], folder: Path) -> None:
    """Write signatures with the resources that they use; raises what TensorFlow raises."""
    if isinstance(model, tf.keras.Model) and not is_keras_2(model):
        _write_keras(tf, model, served, folder)
    else:
        # AutoGraph would wrap errors of this package in its own; the model's functions keep theirs.
        functions = {
            name: tf.function(
                one.function, input_signature=one.specs, autograph=False
            ).get_concrete_function()
            for name, one in served.items()
        }
        tf.saved_model.save(model, str(folder), signatures=functions)
    _set_methods(served, folder)
    _share_restored_names(folder)


def _share_restored_names(folder: Path) -> None:
    """Let TensorFlow Serving restore the variables of Keras 3 models in a module."""
    if unrestored := read_saved_model(folder).unrestored:
        message = read_model(folder)
        share_restored_names(message.meta_graphs[0], folder, unrestored)
        write_model(folder, message)


def _write_keras(tf: Any, model: Any, served: Mapping[str, Served], folder: Path) -> None:
    archive = tf.keras.export.ExportArchive()
    archive.track(model)
    for name, one in served.items():
        archive.add_endpoint(name, one.function, list(one.specs))
    archive.write_out(str(folder), verbose=False)


def _set_methods(served: Mapping[str, Served], folder: Path) -> None:
    """Set the methods: TensorFlow 2 writes each signature as one to predict with."""
    others = {name: one.method for name, one in served.items() if one.method != PREDICT_METHOD}
    if others:
        message = read_model(folder)
        for name, method in others.items():
            message.meta_graphs[0].signature_def[name].method_name = method
        write_model(folder, message)
