"""Instances of CSV files and of lists of files.

Source: Vertex AI, "Get batch predictions from a custom trained model" (CSV, File list), and
aiplatform v1, InstanceConfig: a row becomes an array, in which text without quotes is a number; a
file becomes `{"b64": …}`; a cell has no line break.
"""

from __future__ import annotations

import base64
import csv
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .instances import Instance, InstanceError

_LARGEST_FILE = 2**30
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_NUMBERS = re.compile(r"[0-9+\-.eE,\s]*")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a CSV file with these columns.

    `key` is the column that identifies a row in the output, and is not sent; "" if there is none.
    """

    columns: tuple[str, ...]
    key: str

    @classmethod
    def of(cls, header: str, key: str) -> Rows:
        """Return the rows below a header; raises InstanceError if it does not have the key once."""
        columns = tuple(_cells(csv.reader([header], strict=True)))
        if key and columns.count(key) != 1:
            raise InstanceError(f'The header does not have one column "{key}".')
        return cls(columns, key)

    def instance(self, record: bytes) -> Instance:
        """Return the instance in a row; raises InstanceError."""
        line = record.decode("utf-8")
        row = csv.reader([line], quoting=csv.QUOTE_NONNUMERIC, strict=True)
        cells: list[Any] = _cells(row)
        if len(cells) != len(self.columns):
            raise InstanceError(
                f"The row has {len(cells)} values, and the header {len(self.columns)}."
            )
        for cell in cells:
            if isinstance(cell, float) and not math.isfinite(cell):
                raise InstanceError(f"The row has the number {cell}, which JSON does not have.")
        # Python reads 1_000 and digits of other scripts as numbers, too.
        if not _NUMBERS.fullmatch(_QUOTED.sub("", line)):
            raise InstanceError("The row is not CSV with quoted text: a number is not decimal.")
        if not self.key:
            sent = msgspec.json.encode(cells)
            return Instance(sent, b'"instance":' + sent)
        key = cells.pop(self.columns.index(self.key))
        return Instance(msgspec.json.encode(cells), b'"key":' + msgspec.json.encode(key))


def _cells(row: Iterator[list[str]]) -> list[str]:
    """Return the cells of a line; numbers are floats if `row` converts them."""
    try:
        return next(row, [])
    except (ValueError, csv.Error) as error:
        raise InstanceError(f"The row is not CSV with quoted text: {error}.") from error


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a list; `find` returns the path of a URI's content, or None."""

    find: Callable[[str], Path | None]

    def instance(self, record: bytes) -> Instance:
        """Return the instance in the file of a URI; raises InstanceError."""
        uri = record.decode("utf-8").strip()
        path = self.find(uri) if uri.startswith("gs://") else None
        if path is None:
            raise InstanceError(f"There is no file at {uri}.")
        if path.stat().st_size > _LARGEST_FILE:
            raise InstanceError(f"The file {uri} is larger than {_LARGEST_FILE} bytes.")
        sent = b'{"b64":"' + base64.b64encode(path.read_bytes()) + b'"}'
        return Instance(sent, b'"instance":' + sent)


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a text file that have any; raises InstanceError if one is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            if not text:
                continue
            try:
                text.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InstanceError(f"Line {number} is not UTF-8.") from error
            yield text
