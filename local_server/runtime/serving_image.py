"""The TensorFlow Serving of a platform's prebuilt image, imitated by the loader.

It restores variables with the restore op alone, so that a model it cannot answer with loads here as
well and fails in TensorFlow's words, where this server would load the object graph. Imports neither
TensorFlow nor numpy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServingImage:
    """A prebuilt image that a model is loaded for."""

    tensorflow_version: str = ""
    """Its TensorFlow, such as `2.15`; "" where it is not known."""
