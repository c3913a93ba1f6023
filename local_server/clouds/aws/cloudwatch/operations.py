"""CloudWatch's operations on metrics: data, statistics, listing, and the users' own values.

Metrics are visible immediately; CloudWatch takes minutes to show values, and up to fifteen to list
a new metric. Metric math, Metrics Insights, high resolution and other accounts are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...pages import decode_token, encode_token, page
from ...resources import Document
from ..protocol.errors import AwsError
from ..protocol.json_app import Handler
from .metric_store import Metric, MetricStore, sorted_dimensions
from .statistics import SIMPLE, Range, statistic

_QUERIES = 500
_DATAPOINTS = 100_800
_STATISTICS_DATAPOINTS = 1440
_LIST_PAGE = 500
_MOST_DATA, _MOST_VALUES = 1000, 150
_ACTIVE_SECONDS = 3 * 3600
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_LARGEST = 2.0**360
_OLDEST, _NEWEST = 14 * 86_400, 2 * 3600
Point = tuple[str, int, float]
"""A query's id, the beginning of a period, and its value."""


class MetricOperations:
    """The operations on one store."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    def handlers(self) -> Mapping[str, Handler]:
        """Return the operations by name."""
        return {
            "GetMetricData": self.get_data,
            "GetMetricStatistics": self.get_statistics,
            "ListMetrics": self.list_metrics,
            "PutMetricData": self.put_data,
        }

    def get_data(self, region: str, body: Document) -> Document:
        """Return the values of several metrics, newest first unless asked otherwise; in pages."""
        queries = body["MetricDataQueries"]
        _check_queries(queries)
        is_ascending = body.get("ScanBy") == "TimestampAscending"
        points = [
            point
            for query in queries
            if query.get("ReturnData", True)
            for point in self._points(region, body, query, is_ascending=is_ascending)
        ]
        start = _offset(body.get("NextToken"))
        end = start + min(body.get("MaxDatapoints", _DATAPOINTS), _DATAPOINTS)
        results = [
            _result(query, points, start, end) for query in queries if query.get("ReturnData", True)
        ]
        if start:  # later pages only have the queries that they continue
            results = [result for result in results if result["Timestamps"]]
        answer: Document = {"MetricDataResults": results, "Messages": []}
        return answer | ({"NextToken": encode_token(str(end))} if end < len(points) else {})

    def _points(
        self, region: str, body: Document, query: Document, *, is_ascending: bool
    ) -> Iterator[Point]:
        stat = query["MetricStat"]
        periods = self._range(body, stat["Period"], "ValidationError")
        value_of = statistic(stat["Stat"])
        samples = periods.samples(self._store, _metric(region, stat["Metric"]), stat.get("Unit"))
        for begin in samples if is_ascending else reversed(samples):
            value = value_of(samples[begin])
            if value is not None:
                yield query["Id"], begin, value

    def _range(self, body: Document, period: int, kind: str) -> Range:
        try:
            return Range.of(body["StartTime"], body["EndTime"], period, self._store.now())
        except ValueError as error:
            raise AwsError(kind, str(error)) from error

    def get_statistics(self, region: str, body: Document) -> Document:
        """Return statistics of one metric's periods."""
        simple, extended = body.get("Statistics", []), body.get("ExtendedStatistics", [])
        if bool(simple) == bool(extended):
            raise AwsError(
                "InvalidParameterCombination",
                "Exactly one of the parameters Statistics and ExtendedStatistics must be"
                " specified.",
            )
        periods = self._range(body, body["Period"], "InvalidParameterValue")
        if periods.periods > _STATISTICS_DATAPOINTS:
            raise AwsError(
                "InvalidParameterCombination",
                f"You have requested up to {periods.periods} datapoints, which exceeds the limit"
                f" of {_STATISTICS_DATAPOINTS}. You may reduce the datapoints requested by"
                " increasing Period, or decreasing the time range.",
            )
        metric = _metric(region, body)
        unit = body.get("Unit")
        datapoints = [
            _datapoint(begin, sample_unit, sample, simple, extended)
            for sample_unit in ([unit] if unit else self._store.units(metric))
            for begin, sample in periods.samples(self._store, metric, sample_unit).items()
        ]
        return {"Label": metric.name, "Datapoints": datapoints}

    def list_metrics(self, region: str, body: Document) -> Document:
        """Return a page of the metrics that match all filters."""
        for member in ("IncludeLinkedAccounts", "OwningAccount"):
            if body.get(member):
                raise _unavailable(f"{member} of ListMetrics")
        oldest = self._store.now() - _ACTIVE_SECONDS if body.get("RecentlyActive") else 0.0
        chosen = [
            (f"{metric.namespace}/{metric.name}/{metric.dimensions}", _shown(metric))
            for metric, last in self._store.metrics(region)
            if last >= oldest and _is_listed(metric, body)
        ]
        try:
            metrics, token = page(sorted(chosen, key=_name), _LIST_PAGE, body.get("NextToken"))
        except ValueError as error:
            raise AwsError("InvalidParameterValue", "Invalid nextToken") from error
        return {"Metrics": metrics} | ({"NextToken": token} if token else {})

    def put_data(self, region: str, body: Document) -> None:
        """Add the values of a user's own metrics; if one datum is refused, none is added."""
        if body["Namespace"].startswith("AWS/"):
            raise _invalid("The value AWS/ for parameter Namespace is invalid.")
        if "EntityMetricData" in body:
            raise _unavailable("EntityMetricData of PutMetricData")
        data = body.get("MetricData", [])
        if not data:
            raise AwsError("MissingParameter", "The parameter MetricData is required.")
        _check_sizes(data)
        for datum in data:
            self._check_datum(datum)
        for datum in data:
            named = {**datum, "Namespace": body["Namespace"]}
            unit = datum.get("Unit", "None")
            sample = self._store.sample(_metric(region, named), unit, datum.get("Timestamp"))
            for value, count in _values(datum):
                sample.add(value, count)
            if known := datum.get("StatisticValues"):
                sample.add_set(
                    known["SampleCount"], known["Sum"], known["Minimum"], known["Maximum"]
                )

    def _check_datum(self, datum: Document) -> None:
        if datum.get("StorageResolution", 60) == 1:
            raise _unavailable("A StorageResolution of 1 second")
        fields = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
        if len(fields) != 1:
            raise AwsError(
                "InvalidParameterCombination",
                "Exactly one of the parameters Value, Values and StatisticValues must be"
                " specified.",
            )
        values, counts = datum.get("Values", []), datum.get("Counts")
        if counts is not None and len(counts) != len(values):
            raise _invalid("The parameters Values and Counts must have the same size.")
        numbers = [value for value, _ in _values(datum)]
        numbers += datum.get("StatisticValues", {}).values()
        if not all(abs(number) <= _LARGEST for number in numbers):
            raise _invalid("The parameter Value must be a number between -2^360 and 2^360.")
        age = self._store.now() - datum.get("Timestamp", self._store.now())
        if not -_NEWEST <= age <= _OLDEST:
            raise _invalid(
                "The parameter Timestamp must specify a time within the past two weeks and no more"
                " than two hours in the future."
            )


def _check_sizes(data: list[Document]) -> None:
    """Raise AwsError for more data or values than a request may have.

    Source: API reference, `PutMetricData`; the words are those of aws/aws-sdk-php#1278 and
    aws/aws-sdk-java-v2#3080.
    """
    sizes = [("MetricData", len(data), _MOST_DATA)] + [
        (f"MetricData.member.{number}.Values", len(datum.get("Values", [])), _MOST_VALUES)
        for number, datum in enumerate(data, start=1)
    ]
    for name, size, most in sizes:
        if size > most:
            raise _invalid(f"The collection {name} must not have a size greater than {most}.")


def _check_queries(queries: list[Document]) -> None:
    if len(queries) > _QUERIES:
        raise _validation(
            f"The collection MetricDataQueries must not have a size greater than {_QUERIES}."
        )
    ids = [query["Id"] for query in queries]
    for number, query in enumerate(queries, start=1):
        if not _ID.fullmatch(query["Id"]):
            raise _validation(
                f"The value {query['Id']} for parameter MetricDataQueries.member.{number}.Id is not"
                " matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
            )
        if ("MetricStat" in query) == ("Expression" in query):
            raise _validation(
                f"MetricDataQueries.member.{number} must have either Expression or MetricStat."
            )
        if "Expression" in query:
            raise _unavailable("An Expression of GetMetricData (metric math, Metrics Insights)")
        if "AccountId" in query:
            raise _unavailable("AccountId of GetMetricData")
    if len(set(ids)) < len(ids):
        raise _validation("The values for parameter id in MetricDataQueries are not unique.")


def _result(query: Document, points: list[Point], start: int, end: int) -> Document:
    own = [(at, point) for at, point in enumerate(points) if point[0] == query["Id"]]
    shown = [point for at, point in own if start <= at < end]
    is_complete = not own or own[-1][0] < end
    return {
        "Id": query["Id"],
        "Label": query.get("Label", query["MetricStat"]["Metric"].get("MetricName", "")),
        "Timestamps": [begin for _, begin, _ in shown],
        "Values": [value for _, _, value in shown],
        "StatusCode": "Complete" if is_complete else "PartialData",
    }


def _datapoint(
    begin: int, unit: str, sample: Any, simple: list[str], extended: list[str]
) -> Document:
    point: Document = {"Timestamp": begin, "Unit": unit}
    point |= {name: SIMPLE[name](sample) for name in simple}
    values = {name: statistic(name)(sample) for name in extended}
    known = {name: value for name, value in values.items() if value is not None}
    return point | ({"ExtendedStatistics": known} if extended else {})


def _values(datum: Document) -> Iterator[tuple[float, float]]:
    if "Value" in datum:
        yield datum["Value"], 1.0
    values = datum.get("Values", [])
    yield from zip(values, datum.get("Counts", [1.0] * len(values)), strict=True)


def _metric(region: str, named: Document) -> Metric:
    dimensions = {each["Name"]: each["Value"] for each in named.get("Dimensions", [])}
    return Metric(
        region,
        named.get("Namespace", ""),
        named.get("MetricName", ""),
        sorted_dimensions(dimensions),
    )


def _is_listed(metric: Metric, body: Document) -> bool:
    own = dict(metric.dimensions)
    return (
        body.get("Namespace") in {None, metric.namespace}
        and body.get("MetricName") in {None, metric.name}
        and all(
            each["Name"] in own and each.get("Value") in {None, own[each["Name"]]}
            for each in body.get("Dimensions", [])
        )
    )


def _shown(metric: Metric) -> Document:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": dimensions,
    }


def _name(listed: tuple[str, Document]) -> str:
    return listed[0]


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(decode_token(token))
    except ValueError as error:
        raise AwsError("InvalidNextToken", "Invalid NextToken") from error


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def _validation(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def _unavailable(what: str) -> AwsError:
    return AwsError("UnsupportedOperationException", f"{what} is not available offline.")
