"""The golden file: a header, then one example on each line, all JSON.

{"golden": 1, "model": "mnist", "source": "models/mnist/1", "tolerance": {"ulp": 4}}
{"request": {"instances": [[0.0, 0.5]]}, "answer": {"predictions": [[0.1, 0.9]]}}
{"request": {"instances": [[0.0, 0.5]]}, "labels": [1]}

A number that is not finite is written as TensorFlow Serving does: NaN, Infinity, -Infinity.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from cloudserve._version import __version__
from cloudserve.errors import UserError
from cloudserve.files import replace_atomically
from cloudserve.outputs import GOLDEN, check_output

SCHEMA = 1
_PERMISSIONS = 0o777
RECORD = "record one with `cloudserve golden record`"


class Tolerance(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How far a number may be from the recorded one: it has to be within one of the bounds."""

    absolute: float = 0.0
    relative: float = 0.0
    """A fraction of the recorded number."""
    ulp: int = 0
    """Steps between neighbouring numbers of the dtype."""
    dtype: str = "float32"
    """The dtype of the steps: `float16`, `float32`, `float64`."""


class Header(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The first line of a golden file."""

    golden: int = SCHEMA
    model: str = ""
    source: str = ""
    """What answered: a directory, a URL, or a revision on a target."""
    recorded: datetime | None = None
    tool: str = f"cloudserve {__version__}"
    tolerance: Tolerance = Tolerance()
    """For all outputs that `outputs` does not name."""
    outputs: Mapping[str, Tolerance] = {}
    """Tolerances by output; "" is the output of a model that has one."""
    label: str = ""
    """The output that labels are compared with; "" is the output of a model that has one."""


RestMethod = Literal["", "classify", "regress"]


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The recorded error of a request that was refused."""

    status: int
    """The HTTP status of TensorFlow Serving's REST API."""
    code: str = ""


class Example(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One request, with the recorded answer, or the right label of each instance, or both."""

    request: dict[str, Any]
    answer: dict[str, Any] | None = None
    labels: list[int | float | str] | None = None
    error: Refusal | None = None
    """The refusal in place of an answer."""
    version: int | None = None
    """The version that answered."""
    label: str = ""
    """The version label that the request named."""
    redacted: Mapping[str, str] = {}
    """The rules that were applied, by field, such as `{"age": "round:0"}`; "" is the only output.

    An example whose request was changed has no answer: it would not be the model's.
    """
    method: RestMethod = ""
    """The method of TensorFlow Serving's REST API; "" is predict."""
    partial: bool = False
    """Whether the answer has only some of the model's outputs."""

    @property
    def is_compared(self) -> bool:
        """Return whether there is something to compare an answer with."""
        return not (self.answer is None and self.labels is None and self.error is None)


@dataclass(frozen=True, slots=True)
class Golden:
    """The content of a golden file."""

    header: Header
    examples: tuple[Example, ...]
    digest: str = ""
    """The SHA-256 of the file that was read."""
    mode: int = 0o666
    """The permissions of the file that was read, which its copies have too."""
    is_cut: bool = False
    """Whether the last line was ignored, which a killed process left unfinished."""

    @property
    def requests(self) -> tuple[dict[str, Any], ...]:
        """Return the predict requests that are not expected to be refused."""
        return tuple(
            example.request
            for example in self.examples
            if example.error is None and not example.method
        )

    @property
    def labels(self) -> int:
        """Return the number of labelled instances."""
        return sum(len(example.labels or ()) for example in self.examples)

    def tolerance(self, output: str) -> Tolerance:
        """Return the tolerance of an output."""
        return self.header.outputs.get(output, self.header.tolerance)


def read_golden(path: Path) -> Golden:
    """Read a golden file; raises UserError, naming the line, if it is not one."""
    try:
        data, mode = path.read_bytes(), path.stat().st_mode & _PERMISSIONS
    except OSError as error:
        raise UserError(
            f"the golden file cannot be read: {error.strerror}", where=str(path), hint=RECORD
        ) from error
    whole = complete_part(data)
    first, _, rest = whole.partition(b"\n")
    header = read_header(first, path)
    lines = enumerate(rest.splitlines(), start=2)
    examples = [_example(line, f"{path}:{number}") for number, line in lines if line.strip()]
    if not examples:
        raise UserError("the golden file has no examples", where=str(path), hint=RECORD)
    digest = hashlib.sha256(data).hexdigest()
    return Golden(header, tuple(examples), digest, mode, is_cut=len(whole) < len(data))


def complete_part(data: bytes) -> bytes:
    """Return a file's content without a last line that a killed process left unfinished."""
    if data.endswith(b"\n"):
        return data
    whole, end, last = data.rpartition(b"\n")
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        return whole + end
    return data


def is_golden(line: bytes) -> bool:
    """Return whether the first line of a file is the header of a golden file."""
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "golden" in header


def read_header(line: bytes, path: Path) -> Header:
    """Read the first line of a golden file; raises UserError if it is not one."""
    header: Header = _decode(line, Header, f"{path}:1")
    if header.golden != SCHEMA:
        raise UserError(
            f"the golden file has schema {header.golden}, and this version reads {SCHEMA}",
            where=str(path),
            hint=f"it was written by {header.tool}",
        )
    return header


def header_line(header: Header) -> bytes:
    """Return the first line of a golden file, without its end."""
    # msgspec omits a default; the schema is what the reader looks for.
    return encode({"golden": SCHEMA, **msgspec.to_builtins(header)})


def example_line(example: Example) -> bytes:
    """Return the line of an example, without its end."""
    return encode(msgspec.to_builtins(example))


def encode(value: Any) -> bytes:
    """Return JSON in which a number that is not finite is NaN, Infinity or -Infinity."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8, but an escape
        return json.dumps(value, separators=(",", ":")).encode()


def check_golden(path: Path) -> None:
    """Raise ConflictError if a golden file would replace another file, or change a model."""
    check_output(path, GOLDEN, "a golden file")


def write_golden(golden: Golden, path: Path) -> None:
    """Write a golden file atomically; raises UserError if it cannot be written.

    Raises ConflictError if it would replace another file, or change a model.
    The permissions are those of the file that it replaces, else of the one that was read.
    """
    check_golden(path)
    lines = [header_line(golden.header), *map(example_line, golden.examples)]
    try:
        mode = path.stat().st_mode & _PERMISSIONS if path.exists() else golden.mode
        replace_atomically(path, b"\n".join(lines) + b"\n", mode)
    except OSError as error:
        raise UserError(
            f"the golden file cannot be written: {error.strerror}",
            where=str(path),
            hint="name a file in an existing folder",
        ) from error


def _example(line: bytes, where: str) -> Example:
    example: Example = _decode(line, Example, where)
    if not example.is_compared and not example.redacted:
        raise UserError("the example has neither an answer nor labels", where=where, hint=RECORD)
    return example


def _decode(line: bytes, kind: type[Any], where: str) -> Any:
    try:
        record = msgspec.convert(json.loads(line), type=kind)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the line is not part of a golden file: {error}", where=where, hint=RECORD
        ) from error
    if kind is Header and b'"golden"' not in line:
        raise UserError(
            "the first line is not the header of a golden file", where=where, hint=RECORD
        )
    return record
