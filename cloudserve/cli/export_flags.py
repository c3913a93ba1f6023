"""Flags of `cloudserve export`: images, Examples, tensors of a graph."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from cloudserve.cli.options import Decimal
from cloudserve.cli.paths import NamedPath
from cloudserve.errors import UserError
from cloudserve.local.model_export import RESIZES, ExamplesInput, ImageInput, TensorNames
from cloudserve.local.model_steps import METHODS, input_step, output_step

_SIZE = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)")
_TENSOR = re.compile(r"(?:([^:=]+):)?([^:=]+)=([^=:^]+(?::[0-9]+)?)")
_STEP = re.compile(r"(?:((?:[^:=]+:)?[^:=]+)=)?(.*)", re.DOTALL)
_DEFAULT = "serving_default"
_FILE = NamedPath(dir_okay=False)

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")


def image_options(command: F) -> F:
    """Add the flags of images, and give the command their `image`."""

    @functools.wraps(command)
    def with_image(
        *,
        image_bytes: bool,
        image_scale: float,
        image_offset: float,
        image_size: str,
        image_resize: str,
        image_method: str,
        **others: Any,
    ) -> Any:
        height, width = _size(image_size)
        image = ImageInput(image_scale, height, width, image_offset, image_resize, image_method)
        return command(image=image if image_bytes else None, **others)

    return _decorate(with_image, _IMAGE_OPTIONS)  # type: ignore[return-value] # the same flags


def examples_options(command: F) -> F:
    """Add the flags of Examples, and give the command their `examples`."""

    @functools.wraps(command)
    def with_examples(
        *,
        examples: bool,
        features: Path | None,
        classify: str,
        classes: Path | None,
        regress: str,
        **others: Any,
    ) -> Any:
        if classes and not classify:
            raise click.UsageError("--classes needs --classify OUTPUT")
        if features and not (examples or classify or regress):
            raise click.UsageError("--features needs --examples, --classify or --regress")
        wanted = ExamplesInput(features, examples, classify, classes, regress)
        return command(examples=wanted if examples or classify or regress else None, **others)

    return _decorate(with_examples, _EXAMPLES_OPTIONS)  # type: ignore[return-value] # the same


def steps_options(command: F) -> F:
    """Add the flags of steps, and give the command its `preprocess` and `postprocess`."""

    @functools.wraps(command)
    def with_steps(
        *, preprocess: tuple[str, ...], postprocess: tuple[str, ...], **others: Any
    ) -> Any:
        return command(
            preprocess=_steps(preprocess, "--preprocess", input_step),
            postprocess=_steps(postprocess, "--postprocess", output_step),
            **others,
        )

    return _decorate(with_steps, _STEPS_OPTIONS)  # type: ignore[return-value] # the same flags


def _steps(texts: Iterable[str], flag: str, parse: Callable[[str], S]) -> dict[str, list[S]]:
    """Return the steps by the name of their tensor, in the order in which they were given."""
    steps: dict[str, list[S]] = {}
    for text in texts:
        match = _STEP.fullmatch(text)
        name, step = (match[1] or "", match[2]) if match else ("", text)
        try:
            steps.setdefault(name, []).append(parse(step))
        except UserError as error:
            raise click.BadParameter(f"{error.message}; {error.hint}", param_hint=flag) from error
    return steps


def tensor_names(inputs: Iterable[str], outputs: Iterable[str]) -> dict[str, TensorNames]:
    """Return signatures by the texts of --inputs and --outputs; raises a usage error."""
    tensors: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for side, (flag, texts) in enumerate((("--inputs", inputs), ("--outputs", outputs))):
        for text in texts:
            match = _TENSOR.fullmatch(text)
            if match is None:
                raise click.BadParameter(
                    f"`{text}` is not [SIGNATURE:]NAME=TENSOR, such as x=import/x:0",
                    param_hint=flag,
                )
            chosen = tensors.setdefault(match[1] or _DEFAULT, ({}, {}))[side]
            if match[2] in chosen:
                raise click.BadParameter(f"{match[2]} is given twice", param_hint=flag)
            chosen[match[2]] = match[3]
    for name, (_, named) in tensors.items():
        if not named:
            raise click.UsageError(f"the signature {name} has no output: give --outputs")
    return {name: TensorNames(*sides) for name, sides in tensors.items()}


def _decorate(command: Callable[..., Any], options: Iterable[Any]) -> Callable[..., Any]:
    for option in options:
        command = option(command)
    return command


def _size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if text and match is None:
        raise click.BadParameter(f"`{text}` is not HEIGHTxWIDTH", param_hint="--image-size")
    return (int(match[1]), int(match[2])) if match else (0, 0)


_IMAGE_OPTIONS = (
    click.option(
        "--image-method",
        type=click.Choice(METHODS),
        default="bilinear",
        show_default=True,
        help="The method of tf.image.resize.",
    ),
    click.option(
        "--image-resize",
        type=click.Choice(RESIZES),
        default="stretch",
        show_default=True,
        help="How an image with another ratio of its sides is resized: stretched, with borders, or "
        "cut.",
    ),
    click.option(
        "--image-size",
        metavar="HEIGHTxWIDTH",
        default="",
        help="The size of images; by default that of the model's input.",
    ),
    click.option(
        "--image-offset",
        type=float,
        metavar="NUMBER",
        default=0.0,
        show_default=True,
        help="What is subtracted then; with --image-scale 127.5, 1 gives values from -1 to 1.",
    ),
    click.option(
        "--image-scale",
        type=Decimal(0, min_open=True),
        default=255.0,
        show_default=True,
        help="What the values 0 to 255 of a decoded image are divided by.",
    ),
    click.option(
        "--image-bytes",
        is_flag=True,
        help="Add the signature image_bytes: it decodes and resizes PNG, JPEG, GIF or BMP files.",
    ),
)

_STEPS_OPTIONS = (
    click.option(
        "--postprocess",
        multiple=True,
        metavar="[[SIGNATURE:]OUTPUT=]STEP",
        help="Build a step into the graph behind an output: softmax, sigmoid, argmax[:LABELS] or "
        "top_k:K[:LABELS]. Can be repeated; the first step takes what the model answers.",
    ),
    click.option(
        "--preprocess",
        multiple=True,
        metavar="[[SIGNATURE:]INPUT=]STEP",
        help="Build a step into the graph before an input: cast:DTYPE, resize:HxW[:METHOD], "
        "rescale:SCALE[:OFFSET] or normalize:MEAN:STD. Can be repeated; the first step takes what "
        "a client sends.",
    ),
)

_EXAMPLES_OPTIONS = (
    click.option(
        "--regress",
        metavar="OUTPUT",
        default="",
        help="Add the signature regression, which answers regress requests with this output.",
    ),
    click.option(
        "--classes", type=_FILE, help="The names of the classes in the order of scores, by line."
    ),
    click.option(
        "--classify",
        metavar="OUTPUT",
        default="",
        help="Add the signature classification, which answers classify requests; OUTPUT has the "
        "scores.",
    ),
    click.option(
        "--features",
        type=_FILE,
        metavar="FILE",
        help='The features of Examples as JSON: {"age": {"dtype": "int64", "shape": [1]}}. By '
        "default those of the inputs.",
    ),
    click.option(
        "--examples",
        is_flag=True,
        help="Add the signature examples, which takes serialized tf.Examples.",
    ),
)
