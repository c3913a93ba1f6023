"""One run of a model from the command line: where its inputs come from, and its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Expression:
    """An input as text: literals, and the functions of numpy that make arrays."""

    text: str


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """An input in a `.npy` file, or one of the arrays of a `.npz` file."""

    path: Path
    key: str = ""
    """The array's name; "" for the only one."""


@dataclass(frozen=True, slots=True)
class BytesFile:
    """An input of one string: the bytes of a file, such as an encoded image."""

    path: Path


@dataclass(frozen=True, slots=True)
class Examples:
    """An input of serialized `tf.Example`s: a list of objects as text, or a TFRecord file."""

    text: str = ""
    path: Path | None = None


Source = Expression | ArrayFile | BytesFile | Examples


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run: a signature on inputs by alias, or on the body of a REST request."""

    signature: str = ""
    """"" for the default signature, or the only one."""
    inputs: Mapping[str, Source] = field(default_factory=dict)
    body: bytes | None = None
    """The JSON of a predict request as TensorFlow Serving takes it; then there are no inputs."""
    tags: tuple[str, ...] = ("serve",)
    outdir: Path | None = None
    """The folder that each output is written to, as `ALIAS.npy`."""
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """An output as text."""

    alias: str
    type: str
    """Its dtype and shape, such as `float32[2,10]`."""
    values: str
    """Its values as numpy prints them, long ones shortened."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The outputs of a run, with its times in seconds."""

    signature: str
    outputs: tuple[Output, ...]
    load_seconds: float
    run_seconds: float
    answer: bytes
    """The JSON of TensorFlow Serving's response: of rows for a request of rows, else of columns."""
    files: tuple[Path, ...] = ()
    """The written files."""
