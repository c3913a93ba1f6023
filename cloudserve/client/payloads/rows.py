"""Payloads for models whose signature is unknown: rows, sent as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudserve.errors import UserError


def plain_rows(inputs: Any, where: str) -> list[Any]:
    """Return a list of rows from a list, an array, or a mapping of columns; raises UserError."""
    if isinstance(inputs, Mapping):
        columns = {name: _listed(column, where) for name, column in inputs.items()}
        if len({len(column) for column in columns.values()}) > 1:
            raise UserError(
                "the inputs have different numbers of rows",
                where=where,
                hint="send the same number of rows for every input",
            )
        rows = zip(*columns.values(), strict=True)
        values = [dict(zip(columns, row, strict=True)) for row in rows]
    else:
        values = _listed(inputs, where)
    if not values:
        raise UserError("the batch is empty", where=where, hint="send at least one row")
    return values


def _listed(values: Any, where: str) -> list[Any]:
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise UserError(
            "`instances` must be a list or an array",
            where=where,
            hint="put a single instance in a list",
        )
    return list(values)
