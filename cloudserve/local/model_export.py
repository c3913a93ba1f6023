"""The export of a trained model as a SavedModel: what is asked for, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImageInput:
    """A signature that takes encoded images and gives them to the model as numbers."""

    scale: float = 255.0
    """What the values from 0 to 255 are divided by."""
    height: int = 0
    """The height that images are resized to; 0 for that of the model's input."""
    width: int = 0


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """How a model is exported."""

    version: int | None = None
    """The version's number; None for the one after the highest."""
    image: ImageInput | None = None
    """The signature `image_bytes` to add, if any."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """A written version."""

    path: Path
    version: int
    signatures: tuple[str, ...]
    compared: int
    """The batches of made-up inputs that the source model and the version both answered."""
    ulp: int
    """The largest difference of their answers, in steps of the dtype; 0 if the bits are equal."""
