"""The golden file: a header, then one example on each line, all JSON.

{"golden": 1, "model": "mnist", "source": "models/mnist/1", "tolerance": {"ulp": 4}}
{"request": {"instances": [[0.0, 0.5]]}, "answer": {"predictions": [[0.1, 0.9]]}}
{"request": {"instances": [[0.0, 0.5]]}, "labels": [1]}
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from cloudserve._version import __version__
from cloudserve.errors import UserError
from cloudserve.files import replace_atomically

SCHEMA = 1
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


class Example(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One request, with the recorded answer, or the right label of each instance, or both."""

    request: dict[str, Any]
    answer: dict[str, Any] | None = None
    labels: list[int | float | str] | None = None


@dataclass(frozen=True, slots=True)
class Golden:
    """The content of a golden file."""

    header: Header
    examples: tuple[Example, ...]
    digest: str = ""
    """The SHA-256 of the file that was read."""

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
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"the golden file cannot be read: {error.strerror}", where=str(path), hint=RECORD
        ) from error
    first, _, rest = data.partition(b"\n")
    header = _decode(first, Header, f"{path}:1")
    if header.golden != SCHEMA:
        raise UserError(
            f"the golden file has schema {header.golden}, and this version reads {SCHEMA}",
            where=str(path),
            hint=f"it was written by {header.tool}",
        )
    lines = enumerate(rest.splitlines(), start=2)
    examples = [_example(line, f"{path}:{number}") for number, line in lines if line.strip()]
    if not examples:
        raise UserError("the golden file has no examples", where=str(path), hint=RECORD)
    return Golden(header, tuple(examples), hashlib.sha256(data).hexdigest())


def write_golden(golden: Golden, path: Path) -> None:
    """Write a golden file atomically; raises UserError if it cannot be written."""
    lines = [msgspec.json.encode(golden.header), *map(msgspec.json.encode, golden.examples)]
    # msgspec omits a default; the schema is what the reader looks for.
    lines[0] = b'{"golden":%d%s%s' % (
        SCHEMA,
        b"," if len(lines[0]) > len(b"{}") else b"",
        lines[0][1:],
    )
    try:
        replace_atomically(path, b"\n".join(lines) + b"\n")
    except OSError as error:
        raise UserError(
            f"the golden file cannot be written: {error.strerror}",
            where=str(path),
            hint="name a file in an existing folder",
        ) from error


def _example(line: bytes, where: str) -> Example:
    example: Example = _decode(line, Example, where)
    if example.answer is None and example.labels is None:
        raise UserError("the example has neither an answer nor labels", where=where, hint=RECORD)
    return example


def _decode(line: bytes, kind: type[Any], where: str) -> Any:
    try:
        record = msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"the line is not part of a golden file: {error}", where=where, hint=RECORD
        ) from error
    if kind is Header and b'"golden"' not in line:
        raise UserError(
            "the first line is not the header of a golden file", where=where, hint=RECORD
        )
    return record
