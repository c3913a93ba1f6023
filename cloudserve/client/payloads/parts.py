"""A batch beyond the limit of a request: its parts, and their answers as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cloudserve.client.payloads.arrays import objects
from cloudserve.client.payloads.payload import Payload
from cloudserve.client.transports.channel import Arrays, Call, Reply, Wire
from cloudserve.errors import RemoteError, UserError
from cloudserve.plural import counted

_MARGIN = 0.97
"""The share of the limit that a part may fill by estimate: rows differ in length."""


def split(call: Call, wire: Wire) -> Iterator[tuple[Call, Any]]:
    """Yield requests within the target's limit, in the order of the rows.

    A batch can be split if every input and output has an open first dimension. Raises UserError
    if it cannot, or if a single row is too large.
    """
    request = wire.encode(call)
    size = len(request)
    if not wire.limit or size <= wire.limit:
        yield call, request
        return
    rows = _rows(call)
    if rows < 2:  # noqa: PLR2004 - one row, or no open first dimension
        raise _too_large(size, wire, rows)
    each = max(1, min(rows - 1, int(rows * wire.limit * _MARGIN / size)))
    for begin in range(0, rows, each):
        yield from split(_part(call, begin, min(begin + each, rows)), wire)


def join(replies: Sequence[Reply], where: str) -> Arrays:
    """Return the outputs of parts as one batch."""
    if len(replies) == 1:
        return replies[0].outputs

    names = replies[0].outputs.keys()
    if any(reply.outputs.keys() != names for reply in replies):
        raise RemoteError(
            "the parts of the batch were answered with different outputs",
            where=where,
            hint="ask one version: name it",
        )
    return {name: _joined([reply.outputs[name] for reply in replies]) for name in names}


def _joined(parts: Sequence[Any]) -> Any:
    """Return the rows of all parts; as objects if they differ in shape, as in one answer."""
    import numpy as np

    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    return objects([row for part in parts for row in part.tolist()])


def _rows(call: Call) -> int:
    if call.spec is None:
        return len(call.rows)
    return Payload(call.spec, call.inputs).rows


def _part(call: Call, begin: int, end: int) -> Call:
    if call.spec is None:
        return replace(call, rows=call.rows[begin:end])
    return replace(call, inputs=Payload(call.spec, call.inputs).part(begin, end).inputs)


def _too_large(size: int, wire: Wire, rows: int) -> UserError:
    what = "the request of one row" if rows == 1 else "the request"
    return UserError(
        f"{what} has {counted(size, 'byte')}; the target takes {wire.limit:,}",
        where=wire.where,
        hint="send less data with each row"
        if rows == 1
        else "send smaller batches: the signature has no open first dimension to split by",
    )
