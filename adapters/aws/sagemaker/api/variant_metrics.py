"""CloudWatch's metrics of a variant, as the counts that a canary is judged by.

`InvocationModelErrors` has a 1 for each invocation without a 2xx response and a 0 for every other,
so its SampleCount and Sum are the invocations and the failures among them; `ModelLatency` is in
microseconds ("Amazon SageMaker AI metrics in Amazon CloudWatch"). Counts of one metric are taken
together, because two metrics of the same minute may arrive at different times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cloudserve.release.provider import TrafficCounts

from ...errors import translated
from ...session import Access

PERIOD = 60
_NAMESPACE = "AWS/SageMaker"
_MICROSECONDS = 1e6
_PERCENT = 100.0


class VariantMetrics:
    """Reads the metrics of an endpoint's variants."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def counts(
        self, endpoint: str, variant: str, since: datetime, until: datetime, slow: float
    ) -> TrafficCounts:
        """Return how many invocations whole minutes have, and how many failed or were slow.

        `slow` is the bound in seconds.
        """
        rank = f"PR(:{slow * _MICROSECONDS:.0f})"
        statistics = {
            "requests": ("InvocationModelErrors", "SampleCount"),
            "errors": ("InvocationModelErrors", "Sum"),
            "timed": ("ModelLatency", "SampleCount"),
            "fast": ("ModelLatency", rank),
        }
        series = self._read(endpoint, variant, since, until, statistics, PERIOD)
        timed, fast = series["timed"], series["fast"]
        slow_ones = sum(
            round(count * (_PERCENT - fast.get(at, _PERCENT)) / _PERCENT)
            for at, count in timed.items()
        )
        return TrafficCounts(
            requests=round(sum(series["requests"].values())),
            errors=round(sum(series["errors"].values())),
            timed=round(sum(timed.values())),
            slow=slow_ones,
        )

    def latency(
        self, endpoint: str, variant: str, since: datetime, until: datetime, percentile: float
    ) -> tuple[float, int]:
        """Return a percentile of the seconds that invocations took, and how many there were."""
        statistics = {
            "seconds": ("ModelLatency", f"p{percentile:g}"),
            "timed": ("ModelLatency", "SampleCount"),
        }
        # One period holds all of the time: the percentiles of minutes cannot be put together.
        minutes = int((until - since).total_seconds() // PERIOD) + 1
        series = self._read(endpoint, variant, since, until, statistics, minutes * PERIOD)
        seconds = max(series["seconds"].values(), default=0.0) / _MICROSECONDS
        return seconds, round(sum(series["timed"].values()))

    def _read(
        self,
        endpoint: str,
        variant: str,
        since: datetime,
        until: datetime,
        statistics: Mapping[str, tuple[str, str]],
        period: int,
    ) -> dict[str, dict[datetime, float]]:
        """Return each wanted statistic by the beginning of its period."""
        dimensions = [
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": variant},
        ]
        queries = [
            {
                "Id": name,
                "MetricStat": {
                    "Metric": {
                        "Namespace": _NAMESPACE,
                        "MetricName": metric,
                        "Dimensions": dimensions,
                    },
                    "Period": period,
                    "Stat": statistic,
                },
            }
            for name, (metric, statistic) in statistics.items()
        ]
        series: dict[str, dict[datetime, float]] = {name: {} for name in statistics}
        with translated("read the metrics", self._access.where("cloudwatch")):
            pages = self._access.client("cloudwatch").get_paginator("get_metric_data")
            for page in pages.paginate(MetricDataQueries=queries, StartTime=since, EndTime=until):
                for result in page["MetricDataResults"]:
                    series[result["Id"]].update(
                        dict(zip(result["Timestamps"], result["Values"], strict=True))
                    )
        return series
