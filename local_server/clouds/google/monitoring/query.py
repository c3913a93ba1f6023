"""The parameters of timeSeries.list, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....status import Code
from ..common.errors import ApiError
from .descriptors import DESCRIPTORS, UNAVAILABLE, Descriptor
from .filters import Filter, invalid_filter, parse_filter

MOST_RESULTS = 100_000
_LEAST_PERIOD = 60.0
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_NO_TYPE = (
    'must specify a restriction on "metric.type" in the filter; see'
    ' "https://cloud.google.com/monitoring/api/resources" for a list of available metric types.'
)


@dataclass(frozen=True, slots=True)
class Query:
    """What to list."""

    descriptor: Descriptor
    filter: Filter
    start: float
    end: float
    aligner: str
    """`ALIGN_NONE` for the points as they are."""
    period: float
    reducer: str
    groups: tuple[str, ...]
    has_points: bool
    """Whether the points are listed, or the series alone (`HEADERS`)."""
    most: int
    token: str | None


def read_query(query: Mapping[str, Any]) -> Query:
    """Return the query of a request; raises ApiError for an invalid one."""
    text = query.get("filter", "")
    filter_ = parse_filter(text)
    descriptor = _descriptor(filter_, text)
    _refuse_others(query)
    start, end = _interval(query)
    aligner = _chosen(query, "perSeriesAligner", "ALIGN_NONE")
    reducer = _chosen(query, "crossSeriesReducer", "REDUCE_NONE")
    return Query(
        descriptor,
        filter_,
        start,
        end,
        aligner,
        _period(query, aligner, reducer),
        reducer,
        tuple(_group(name) for name in query.get("aggregation.groupByFields", ())),
        query.get("view", "FULL") == "FULL",
        _page_size(query),
        query.get("pageToken"),
    )


def _descriptor(filter_: Filter, text: str) -> Descriptor:
    types = filter_.metric_types
    if len(types) != 1:
        raise invalid_filter(text, _NO_TYPE)
    if types[0] in UNAVAILABLE:
        raise ApiError(Code.UNIMPLEMENTED, f"The metric {types[0]} is not available offline.")
    if types[0] not in DESCRIPTORS:
        raise ApiError(
            Code.NOT_FOUND,
            f'Cannot find metric(s) that match type = "{types[0]}". If a metric was created'
            " recently, it could take up to 10 minutes to become available. Please try again soon.",
        )
    return DESCRIPTORS[types[0]]


def _refuse_others(query: Mapping[str, Any]) -> None:
    for name in query:
        if name.startswith("secondaryAggregation."):
            raise ApiError(Code.UNIMPLEMENTED, "secondaryAggregation is not available offline.")
    if query.get("orderBy"):
        raise _invalid("orderBy", query["orderBy"], "Ordering is not supported.")


def _interval(query: Mapping[str, Any]) -> tuple[float, float]:
    if "interval.endTime" not in query:
        raise _invalid("interval.endTime", "", "The end time is required.")
    end = _moment(query, "interval.endTime")
    start = _moment(query, "interval.startTime") if "interval.startTime" in query else end
    if start > end:
        text = "The start time must not be later than the end time."
        raise _invalid("interval.startTime", query["interval.startTime"], text)
    return start, end


def _moment(query: Mapping[str, Any], name: str) -> float:
    text = query[name]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in text.upper():
        raise ApiError(
            Code.INVALID_ARGUMENT,
            f"Invalid value at '{_snake(name)}' (type.googleapis.com/google.protobuf.Timestamp), "
            f"Field '{_snake(name)}', Illegal timestamp format; timestamps must end with 'Z' or"
            f' have a valid timezone offset: "{text}"',
        )
    return moment.timestamp()


def _chosen(query: Mapping[str, Any], name: str, default: str) -> str:
    return str(query.get(f"aggregation.{name}", default))


def _period(query: Mapping[str, Any], aligner: str, reducer: str) -> float:
    if aligner == "ALIGN_NONE":
        if reducer != "REDUCE_NONE":
            text = "An aligner other than ALIGN_NONE is required for a reduction."
            raise _invalid("aggregation.perSeriesAligner", aligner, text)
        return 0.0
    text = query.get("aggregation.alignmentPeriod", "")
    match = _DURATION.fullmatch(text)
    if match is None or float(match[1]) < _LEAST_PERIOD:
        why = "The alignment period must be at least 60 seconds."
        raise _invalid("aggregation.alignmentPeriod", text, why)
    return float(match[1])


def _group(name: str) -> str:
    return re.sub(r"^(metric|resource)\.label\.", r"\1.labels.", name)


def _page_size(query: Mapping[str, Any]) -> int:
    size = query.get("pageSize", 0)
    return min(size, MOST_RESULTS) if size > 0 else MOST_RESULTS


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", name)


def _invalid(field: str, value: str, why: str) -> ApiError:
    text = f'Field {field} had an invalid value of "{value}": {why}'
    return ApiError(Code.INVALID_ARGUMENT, text)
