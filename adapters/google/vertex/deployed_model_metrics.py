"""Cloud Monitoring's metrics of a deployed model, as the counts that a canary is judged by.

`response_count` has the responses by class of status (`2xx`, …), `prediction_latencies` their
durations in milliseconds, as distributions of which only buckets are known ("Google Cloud metrics",
aiplatform). A request counts as slow from the first bound of a bucket that is not below the
threshold: the same for both revisions. The points are read as they are, one for each minute.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from cloudserve.release.provider import TrafficCounts

from ..credentials import Access
from ..googleapi import Record
from .beside import BesideVertex

_TYPE = "aiplatform.googleapis.com/prediction/online"
_RESPONSES, _LATENCIES = f"{_TYPE}/response_count", f"{_TYPE}/prediction_latencies"
_MILLISECONDS = 1000.0
_PERCENT = 100.0
_POINTS = 10_000


class DeployedModelMetrics(BesideVertex):
    """Reads the metrics of an endpoint's deployed models."""

    def __init__(
        self, endpoint: str, beside: str, project: str, region: str, access: Access
    ) -> None:
        super().__init__(("monitoring", "v3"), endpoint, beside, project, region, access)

    def counts(
        self,
        endpoint: str,
        deployed: Sequence[str],
        since: datetime,
        until: datetime,
        slow: float,
    ) -> TrafficCounts:
        """Return how many responses whole minutes have, and how many failed or were slow.

        `slow` is the bound in seconds; `deployed` has the ids of the DeployedModels that are
        counted together.
        """
        requests = errors = 0
        for labels, value in self._points(_RESPONSES, "", endpoint, deployed, since, until):
            count = int(value.get("int64Value", 0))
            requests += count
            errors += 0 if str(labels.get("response_code", "")).startswith("2") else count
        durations = self._durations(endpoint, deployed, since, until)
        return TrafficCounts(
            requests=requests,
            errors=errors,
            timed=durations.count,
            slow=durations.above(slow * _MILLISECONDS),
        )

    def latency(
        self,
        endpoint: str,
        deployed: Sequence[str],
        since: datetime,
        until: datetime,
        percentile: float,
    ) -> tuple[float, int]:
        """Return a percentile of the seconds that requests took, and how many there were."""
        durations = self._durations(endpoint, deployed, since, until)
        return durations.percentile(percentile) / _MILLISECONDS, durations.count

    def _durations(
        self, endpoint: str, deployed: Sequence[str], since: datetime, until: datetime
    ) -> Durations:
        # This type alone is there for every model.
        only = ' AND metric.labels.latency_type = "total"'
        durations = Durations()
        for _, value in self._points(_LATENCIES, only, endpoint, deployed, since, until):
            durations.add(value.get("distributionValue", {}))
        return durations

    def _points(
        self,
        metric: str,
        only: str,
        endpoint: str,
        deployed: Sequence[str],
        since: datetime,
        until: datetime,
    ) -> Iterator[tuple[Record, Record]]:
        """Yield the labels and the value of each point of the deployed models' series."""
        self._check_place()
        words = (
            f'metric.type = "{metric}" AND resource.labels.endpoint_id = "{endpoint}"'
            f' AND resource.labels.location = "{self._region}"{only}'
        )
        name = f"projects/{self._project}"
        collection = self._series
        request = collection.list(
            name=name,
            filter=words,
            interval_startTime=_written(since),
            interval_endTime=_written(until),
            view="FULL",
            pageSize=_POINTS,
        )
        where = f"{self._endpoint}/v3/{name}/timeSeries"
        while request is not None:
            # The metric itself is unknown until there was a request.
            answer = self._find(request, "read the metrics", where) or {}
            for series in answer.get("timeSeries", ()):
                labels = series.get("metric", {}).get("labels", {})
                if labels.get("deployed_model_id") in deployed:
                    for point in series.get("points", ()):
                        yield labels, point.get("value", {})
            request = collection.list_next(request, answer)

    @property
    def _series(self) -> Any:
        return self._service.projects().timeSeries()


@dataclass(slots=True)
class Durations:
    """How many requests took how long, by bucket, from several distributions."""

    count: int = 0
    bounds: tuple[float, ...] = ()
    """The upper bounds of all buckets but the last, which has none."""
    buckets: list[int] = field(default_factory=list)

    def add(self, distribution: Record) -> None:
        """Add a Distribution of the API, whose trailing empty buckets are left out."""
        bounds = _bounds(distribution.get("bucketOptions", {}))
        counts = [int(text) for text in distribution.get("bucketCounts", ())]
        if bounds != self.bounds:
            self._fit(bounds)
        for index, size in enumerate(counts):
            place = bisect_left(self.bounds, bounds[index]) if index < len(bounds) else -1
            self.buckets[place] += size
            self.count += size

    def _fit(self, bounds: tuple[float, ...]) -> None:
        """Divide the buckets by further bounds too; each count stays below its upper bound."""
        merged = tuple(sorted({*self.bounds, *bounds}))
        buckets = [0] * (len(merged) + 1)
        for index, size in enumerate(self.buckets):
            place = bisect_left(merged, self.bounds[index]) if index < len(self.bounds) else -1
            buckets[place] += size
        self.bounds, self.buckets = merged, buckets

    def above(self, threshold: float) -> int:
        """Return how many are above the first bound that is not below a threshold."""
        return sum(self.buckets[bisect_left(self.bounds, threshold) + 1 :])

    def percentile(self, percent: float) -> float:
        """Return a percentile, as if the values of a bucket were evenly spread over it."""
        wanted = percent / _PERCENT * self.count
        sums = accumulate(self.buckets)
        for index, (size, reached) in enumerate(zip(self.buckets, sums, strict=True)):
            if size and reached >= wanted:
                low = self.bounds[index - 1] if index else 0.0
                high = self.bounds[index] if index < len(self.bounds) else low
                return low + (high - low) * (wanted - (reached - size)) / size
        return 0.0


def _bounds(options: Record) -> tuple[float, ...]:
    """Return the bounds of a distribution's buckets (google/api/distribution.proto)."""
    if (shape := options.get("exponentialBuckets")) is not None:
        scale, growth = float(shape["scale"]), float(shape["growthFactor"])
        return tuple(scale * growth**index for index in range(shape["numFiniteBuckets"] + 1))
    if (shape := options.get("linearBuckets")) is not None:
        offset, width = float(shape.get("offset", 0.0)), float(shape["width"])
        return tuple(offset + width * index for index in range(shape["numFiniteBuckets"] + 1))
    return tuple(map(float, options.get("explicitBuckets", {}).get("bounds", ())))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
