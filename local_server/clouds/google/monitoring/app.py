"""The HTTP application of Cloud Monitoring (monitoring v3): reading of metrics.

Source: Google's discovery document of monitoring v3. Points are visible when their minute has
ended; the service takes up to two minutes more. Writing, queries in MQL and everything beside
metrics is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....status import Code
from ....transport.types import Head, Response
from ...offers import Offers, offers
from ...pages import decode_token, encode_token, page
from ...resources import Document
from ..common.app import GoogleApp, handler_of
from ..common.discovery import Call, load
from ..common.errors import ApiError, json_response
from ..common.permissions import Denied
from .aggregation import Line, Point, align, reduce_lines
from .descriptors import DELTA, DESCRIPTORS
from .distribution import Distribution
from .filters import parse_filter
from .query import Query, read_query
from .store import MINUTE, MetricStore
from .times import timestamp

_PREFIX = "/v3/"
_MOST_DESCRIPTORS = 10_000
Handler = Callable[[Call], Document]


def is_monitoring(head: Head) -> bool:
    """Return whether a request is for Cloud Monitoring."""
    return head.path.startswith(_PREFIX)


class CloudMonitoring(GoogleApp):
    """The monitoring v3 application on one store."""

    largest_body = 10 * 2**20

    def __init__(self, store: MetricStore, denied: Denied | None = None) -> None:
        self._store = store
        self._denied = denied or Denied()
        self._api = load("monitoring", "v3")
        self._handlers: Mapping[str, Handler] = {
            "monitoring.projects.timeSeries.list": self.list_series,
            "monitoring.projects.metricDescriptors.list": self.list_descriptors,
            "monitoring.projects.metricDescriptors.get": self.get_descriptor,
        }

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("monitoring", self._handlers)

    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request by its method; none that is available has a body."""
        del body
        call = self._api.match(head.method, head.path, head.query)
        self._denied.check(call)
        return json_response(handler_of(self._handlers, call)(call))

    def list_series(self, call: Call) -> Document:
        """Return a page of the series that match, with their points, newest first."""
        query = read_query(call.query)
        lines = self._lines(_project(call.path["name"]), query)
        if query.aligner != "ALIGN_NONE":
            lines = align(lines, query.aligner, query.period, query.end)
        if query.reducer != "REDUCE_NONE":
            lines = reduce_lines(lines, query.reducer, query.groups)
        return _page(lines, query)

    def _lines(self, project: str, query: Query) -> list[Line]:
        lines = []
        for series, minutes in self._store.series(project).items():
            fields = series.fields()
            if series.descriptor is not query.descriptor or not query.filter.matches(fields):
                continue
            points = tuple(
                Point(minute, minute + MINUTE, value)
                for minute, value in sorted(minutes.items())
                if query.start < minute + MINUTE <= query.end
            )
            if points:
                lines.append(Line(fields, DELTA, series.descriptor.value_type, points))
        return lines

    def list_descriptors(self, call: Call) -> Document:
        """Return a page of the metrics that match."""
        filter_ = parse_filter(call.query.get("filter", ""))
        project = _project(call.path["name"])
        descriptors = [
            (kind, descriptor.document(project))
            for kind, descriptor in sorted(DESCRIPTORS.items())
            if filter_.matches({"metric.type": kind})
        ]
        size = call.query.get("pageSize", 0)
        size = size if 0 < size < _MOST_DESCRIPTORS else _MOST_DESCRIPTORS
        try:
            shown, token = page(descriptors, size, call.query.get("pageToken"))
        except ValueError as error:
            raise _bad_token() from error
        return {"metricDescriptors": shown} | ({"nextPageToken": token} if token else {})

    def get_descriptor(self, call: Call) -> Document:
        """Return one metric."""
        name = call.path["name"]
        kind = name.partition("/metricDescriptors/")[2]
        if kind not in DESCRIPTORS:
            raise ApiError(Code.NOT_FOUND, f"Could not find descriptor for metric '{kind}'.")
        return DESCRIPTORS[kind].document(_project(name))


def _project(name: str) -> str:
    return name.split("/")[1]


def _page(lines: list[Line], query: Query) -> Document:
    """Return so many points, or so many series without points, after those of earlier pages."""
    flat = [
        (index, point)
        for index, line in enumerate(lines)
        for point in (reversed(line.points) if query.has_points else line.points[-1:])
    ]
    start = _offset(query.token)
    chosen = flat[start : start + query.most]
    points: dict[int, list[Point]] = {}
    for index, point in chosen:
        points.setdefault(index, []).append(point)
    shown = [_series(lines[index], page_points, query) for index, page_points in points.items()]
    answer: Document = {"timeSeries": shown} if shown else {}
    if start + query.most < len(flat):
        answer["nextPageToken"] = encode_token(str(start + query.most))
    return answer | {"unit": query.descriptor.unit}


def _series(line: Line, points: list[Point], query: Query) -> Document:
    document: Document = {
        "metric": _named(line, "metric"),
        "resource": _named(line, "resource"),
        "metricKind": line.kind,
        "valueType": line.value_type,
    }
    if query.has_points:
        document["points"] = [_point(point, line.value_type) for point in points]
    return document


def _named(line: Line, what: str) -> Document:
    prefix = f"{what}.labels."
    labels = {
        name.removeprefix(prefix): value
        for name, value in line.fields.items()
        if name.startswith(prefix)
    }
    return {"type": line.fields[f"{what}.type"]} | ({"labels": labels} if labels else {})


def _point(point: Point, value_type: str) -> Document:
    interval = {"startTime": timestamp(point.start), "endTime": timestamp(point.end)}
    match point.value:
        case Distribution() as value:
            shown: Document = {"distributionValue": value.document()}
        case value if value_type == "INT64":
            shown = {"int64Value": str(value)}
        case value:
            shown = {"doubleValue": value}
    return {"interval": interval, "value": shown}


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(decode_token(token))
    except ValueError as error:
        raise _bad_token() from error


def _bad_token() -> ApiError:
    return ApiError(Code.INVALID_ARGUMENT, "Field pageToken had an invalid value.")
