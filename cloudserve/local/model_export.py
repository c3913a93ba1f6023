"""The export of a trained model as a SavedModel: what is asked for, and what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .model_steps import InputStep, OutputStep

RESIZES = ("stretch", "pad", "crop")
"""How an image takes the model's size: with another ratio of its sides, borders, or cut sides."""


@dataclass(frozen=True, slots=True)
class ImageInput:
    """A signature that takes encoded images and gives them to the model as numbers."""

    scale: float = 255.0
    """What the values from 0 to 255 are divided by."""
    height: int = 0
    """The height that images are resized to; 0 for that of the model's input."""
    width: int = 0
    offset: float = 0.0
    """What is subtracted then: 127.5 and 1 give values from -1 to 1."""
    resize: str = "stretch"
    method: str = "bilinear"


@dataclass(frozen=True, slots=True)
class ExamplesInput:
    """Signatures that take serialized `tf.Example`s with a feature for each input of the model."""

    features: Path | None = None
    """A JSON file of the features; None for those that the model's inputs make."""
    predict: bool = True
    """Whether there is a signature `examples` with the model's outputs."""
    scores: str = ""
    """The output of the signature `classification`, the scores of the classes; "" for none."""
    classes: Path | None = None
    """The names of the classes in the order of their scores, one in a line."""
    values: str = ""
    """The output of the signature `regression`; "" for none."""


@dataclass(frozen=True, slots=True)
class TensorNames:
    """The tensors of a signature by alias: `{"x": "import/x:0"}`."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """How a model is exported."""

    version: int | None = None
    """The version's number; None for the one after the highest."""
    image: ImageInput | None = None
    """The signature `image_bytes` to add, if any."""
    examples: ExamplesInput | None = None
    """The signatures of Examples to add, if any."""
    tensors: Mapping[str, TensorNames] = field(default_factory=dict)
    """Signatures of a graph by name: of a checkpoint, a frozen graph or a SavedModel."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Signatures to add, by name: the function or signature that each is a copy of."""
    preprocess: Mapping[str, Sequence[InputStep]] = field(default_factory=dict)
    """Steps before an input, in their order: of `INPUT`, `SIGNATURE:INPUT`, or "" for the only one.

    A name without a signature is of `serving_default`.
    """
    postprocess: Mapping[str, Sequence[OutputStep]] = field(default_factory=dict)
    """Steps behind an output, named in the same way."""
    custom_objects: str = ""
    """The module with a Keras file's own classes and functions; "" for none."""
    trusted: bool = False
    """Whether code in a Keras file may be run, such as that of Lambda layers."""
    open_batch: bool = False
    """Whether a fixed first dimension of inputs is opened: to any number of rows."""
    tags: tuple[str, ...] = ("serve",)
    """The tags of a SavedModel that is the source."""


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
    warnings: tuple[str, ...] = ()
    """What `cloudserve check` warns of, such as an input without a JSON form: a sentence each."""
