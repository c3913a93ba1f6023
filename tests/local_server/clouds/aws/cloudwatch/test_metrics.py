"""CloudWatch metrics: boto3 reads what invocations of an endpoint publish, and its own values."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import refused

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR_AGO = NOW.replace(second=0) - timedelta(hours=1)
RECENT = {"StartTime": NOW - timedelta(hours=2), "EndTime": NOW + timedelta(hours=1)}
BROKEN = b'{"nothing": true}'


@pytest.fixture
def cloudwatch(aws):
    return aws.cloudwatch


def query(endpoint, name, stat, variant="main", query_id="q"):
    dimensions = [
        {"Name": "VariantName", "Value": variant},
        {"Name": "EndpointName", "Value": endpoint},
    ]
    metric = {"Namespace": "AWS/SageMaker", "MetricName": name, "Dimensions": dimensions}
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": 86_400, "Stat": stat}}


def value(cloudwatch, *about, **more):
    """Return the one value of a metric; None if there is none."""
    response = cloudwatch.get_metric_data(MetricDataQueries=[query(*about, **more)], **RECENT)
    (result,) = response["MetricDataResults"]
    assert result["StatusCode"] == "Complete"
    return result["Values"][0] if result["Values"] else None


class TestInvocations:
    def test_each_is_counted_for_its_variant(self, aws, cloudwatch, doubling):
        aws.invoke(doubling)
        aws.invoke(doubling)
        with pytest.raises(ClientError, match="ModelError"):
            aws.invoke(doubling, BROKEN)
        values = {
            (name, stat): value(cloudwatch, doubling, name, stat)
            for name in ("Invocations", "InvocationModelErrors", "Invocation4XXErrors")
            for stat in ("Sum", "SampleCount")
        }
        assert list(values.values()) == [3.0, 3.0, 1.0, 3.0, 1.0, 3.0]
        assert value(cloudwatch, doubling, "Invocation5XXErrors", "Average") == 0.0
        assert value(cloudwatch, doubling, "InvocationsPerInstance", "Sum") == 3.0
        assert value(cloudwatch, doubling, "Invocations", "Sum", variant="other") is None

    def test_latencies_are_microseconds_with_percentiles(self, aws, cloudwatch, doubling):
        for _ in range(3):
            aws.invoke(doubling)
        least, middle, most = (
            value(cloudwatch, doubling, "ModelLatency", stat) for stat in ("Minimum", "p50", "p100")
        )
        assert 10.0 < least <= middle * 1.01 <= most * 1.02 < 60e6
        assert value(cloudwatch, doubling, "ModelLatency", f"PR(:{most * 2})") == 100.0
        assert value(cloudwatch, doubling, "ModelLatency", f"PR({most * 2}:)") == 0.0
        assert value(cloudwatch, doubling, "OverheadLatency", "SampleCount") == 3.0
        dimensions = query(doubling, "", "")["MetricStat"]["Metric"]["Dimensions"]
        (point,) = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="ModelLatency",
            Dimensions=dimensions,
            Period=86_400,
            ExtendedStatistics=["p50"],
            **RECENT,
        )["Datapoints"]
        assert point["Unit"] == "Microseconds"
        assert point["ExtendedStatistics"] == {"p50": middle}

    def test_a_request_that_reaches_no_container_is_not_counted(self, aws, cloudwatch, doubling):
        with pytest.raises(ClientError, match="Variant none not found"):
            aws.invoke(doubling, TargetVariant="none")
        assert value(cloudwatch, doubling, "Invocations", "Sum") is None

    def test_the_metrics_are_listed_by_endpoint(self, aws, cloudwatch, doubling):
        aws.invoke(doubling)
        filters = [{"Name": "EndpointName", "Value": doubling}]
        listed = cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=filters)["Metrics"]
        assert {metric["MetricName"] for metric in listed} == {
            "Invocation4XXErrors",
            "Invocation5XXErrors",
            "InvocationModelErrors",
            "Invocations",
            "InvocationsPerInstance",
            "ModelLatency",
            "OverheadLatency",
        }
        assert not cloudwatch.list_metrics(Dimensions=[{"Name": "None"}])["Metrics"]


def put(cloudwatch, name, *values, at=HOUR_AGO, unit="Count"):
    data = [{"MetricName": name, "Value": v, "Timestamp": at, "Unit": unit} for v in values]
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=data)


def own(cloudwatch, name, period=60, start=HOUR_AGO, minutes=10, **more):
    return cloudwatch.get_metric_statistics(
        Namespace="Shop",
        MetricName=name,
        Period=period,
        StartTime=start,
        EndTime=start + timedelta(minutes=minutes),
        **more,
    )["Datapoints"]


class TestOwnMetrics:
    def test_statistics_are_those_of_each_period(self, cloudwatch, fresh):
        put(cloudwatch, fresh, 1.0, 2.0, 6.0)
        put(cloudwatch, fresh, 5.0, at=HOUR_AGO + timedelta(minutes=1, seconds=59))
        names = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
        first, second = own(cloudwatch, fresh, Statistics=names)
        assert (first["Timestamp"], second["Timestamp"]) == (
            HOUR_AGO,
            HOUR_AGO + timedelta(minutes=1),
        )
        assert [first[name] for name in names] == [3.0, 3.0, 9.0, 1.0, 6.0]
        assert (second["Sum"], second["Unit"]) == (5.0, "Count")

    def test_periods_begin_at_the_start_which_is_rounded_down_to_a_minute(self, cloudwatch, fresh):
        put(cloudwatch, fresh, 1.0, at=HOUR_AGO + timedelta(minutes=6))
        start = HOUR_AGO + timedelta(minutes=2, seconds=34)
        (point,) = own(cloudwatch, fresh, period=300, start=start, Statistics=["Sum"])
        assert point["Timestamp"] == HOUR_AGO + timedelta(minutes=2)

    def test_values_with_counts_and_sets_of_values_are_added(self, cloudwatch, fresh):
        datum = {"MetricName": fresh, "Timestamp": HOUR_AGO}
        known = {"SampleCount": 2.0, "Sum": 30.0, "Minimum": 10.0, "Maximum": 20.0}
        counted = {"Values": [1.0, 3.0], "Counts": [4.0, 1.0]}
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=[datum | counted])
        (point,) = own(cloudwatch, fresh, ExtendedStatistics=["p80", "p81", "PR(1:3)"])
        assert point["ExtendedStatistics"] == {"p80": 1.0, "p81": 3.0, "PR(1:3)": 20.0}
        cloudwatch.put_metric_data(
            Namespace="Shop", MetricData=[datum | {"StatisticValues": known}]
        )
        (point,) = own(cloudwatch, fresh, Statistics=["Sum", "SampleCount", "Maximum"])
        assert (point["Sum"], point["SampleCount"], point["Maximum"]) == (37.0, 7.0, 20.0)
        (point,) = own(cloudwatch, fresh, ExtendedStatistics=["p50"])
        assert point["ExtendedStatistics"] == {}  # the set's values are not known

    def test_a_unit_selects_what_was_published_with_it(self, cloudwatch, fresh):
        put(cloudwatch, fresh, 1.0, unit="Seconds")
        put(cloudwatch, fresh, 2.0, unit="Bytes")
        sums = {p["Unit"]: p["Sum"] for p in own(cloudwatch, fresh, Statistics=["Sum"])}
        assert sums == {"Seconds": 1.0, "Bytes": 2.0}
        (point,) = own(cloudwatch, fresh, Statistics=["Sum"], Unit="Bytes")
        assert point["Sum"] == 2.0
        assert own(cloudwatch, fresh, Statistics=["Sum"], Unit="Percent") == []

    def test_a_compressed_request_is_read(self, cloudwatch, fresh):
        put(cloudwatch, fresh, *range(300))  # boto3 compresses bodies above ten kilobytes
        (point,) = own(cloudwatch, fresh, Statistics=["Sum"])
        assert point["Sum"] == sum(range(300))

    def test_data_comes_in_pages_in_the_order_that_is_asked_for(self, cloudwatch, fresh):
        for minute in range(5):
            put(cloudwatch, fresh, float(minute), at=HOUR_AGO + timedelta(minutes=minute))
        metric = {"Metric": {"Namespace": "Shop", "MetricName": fresh}, "Period": 60}
        queries = [
            {"Id": "sums", "MetricStat": metric | {"Stat": "Sum"}},
            {"Id": "none", "MetricStat": metric | {"Stat": "Sum"}, "ReturnData": False},
            {"Id": "counts", "MetricStat": metric | {"Stat": "SampleCount"}, "Label": "how many"},
        ]
        until = HOUR_AGO + timedelta(minutes=5)
        request = {"MetricDataQueries": queries, "StartTime": HOUR_AGO, "EndTime": until}
        whole = cloudwatch.get_metric_data(**request)["MetricDataResults"]
        assert [result["Label"] for result in whole] == [fresh, "how many"]
        assert whole[0]["Values"] == [4.0, 3.0, 2.0, 1.0, 0.0]  # newest first by default
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            **request, ScanBy="TimestampAscending", PaginationConfig={"PageSize": 3}
        )
        values, states = {}, []
        for page in pages:
            for result in page["MetricDataResults"]:
                values.setdefault(result["Id"], []).extend(result["Values"])
                states.append((result["Id"], result["StatusCode"]))
        assert values == {"sums": [0.0, 1.0, 2.0, 3.0, 4.0], "counts": [1.0] * 5}
        assert states == [
            ("sums", "PartialData"),
            ("counts", "PartialData"),
            ("sums", "Complete"),
            ("counts", "PartialData"),
            ("counts", "PartialData"),
            ("counts", "Complete"),
        ]


def data(**more):
    arguments = {"MetricDataQueries": [query("e", "Invocations", "Sum")], **RECENT}
    return arguments | more


def stats(**more):
    arguments = {"Namespace": "Shop", "MetricName": "x", "Period": 60, **RECENT}
    return arguments | {"Statistics": ["Sum"]} | more


def datum(**more):
    return {"Namespace": "Shop", "MetricData": [{"MetricName": "x", **more}]}


def changed(**more):
    arguments = query("e", "Invocations", "Sum")
    return data(MetricDataQueries=[arguments | more])


@pytest.mark.parametrize(
    ("operation", "arguments", "kind", "message"),
    [
        (
            "get_metric_statistics",
            stats(EndTime=RECENT["StartTime"]),
            "InvalidParameterValue",
            "The parameter StartTime must not equal parameter EndTime.",
        ),
        (
            "get_metric_data",
            data(EndTime=RECENT["StartTime"]),
            "ValidationError",
            "The parameter StartTime must not equal parameter EndTime.",
        ),
        (
            "get_metric_statistics",
            stats(StartTime=NOW - timedelta(days=7)),
            "InvalidParameterCombination",
            "datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested",
        ),
        ("get_metric_statistics", stats(Period=90), "InvalidParameterValue", "multiple of 60"),
        (
            "get_metric_statistics",
            stats(ExtendedStatistics=["p50"]),
            "InvalidParameterCombination",
            "Exactly one of",
        ),
        ("get_metric_data", changed(Id="Q"), "ValidationError", "matching the expected pattern"),
        (
            "get_metric_data",
            data(MetricDataQueries=[query("e", "Invocations", "Sum")] * 2),
            "ValidationError",
            "The values for parameter id in MetricDataQueries are not unique.",
        ),
        (
            "get_metric_data",
            data(MetricDataQueries=[{"Id": "q", "Expression": "1 + 1"}]),
            "UnsupportedOperationException",
            "metric math",
        ),
        (
            "get_metric_data",
            data(MetricDataQueries=[query("e", "Invocations", "tm90")]),
            "UnsupportedOperationException",
            "The statistic tm90 is not available offline.",
        ),
        (
            "get_metric_data",
            data(MetricDataQueries=[query("e", "Invocations", "p101")]),
            "InvalidParameterValue",
            "The value p101 for parameter Stat is not a statistic.",
        ),
        ("get_metric_data", data(NextToken="?"), "InvalidNextToken", "Invalid NextToken"),
        (
            "put_metric_data",
            datum(Value=1.0) | {"Namespace": "AWS/SageMaker"},
            "InvalidParameterValue",
            "The value AWS/ for parameter Namespace is invalid.",
        ),
        ("put_metric_data", datum(), "InvalidParameterCombination", "Exactly one of"),
        ("put_metric_data", datum(Value=1e300), "InvalidParameterValue", "2^360"),
        (
            "put_metric_data",
            datum(Values=[1.0], Counts=[1.0, 2.0]),
            "InvalidParameterValue",
            "same size",
        ),
        (
            "put_metric_data",
            {"Namespace": "Shop", "MetricData": [{"MetricName": "x", "Value": 1.0}] * 1001},
            "InvalidParameterValue",
            "The collection MetricData must not have a size greater than 1000.",
        ),
        (
            "put_metric_data",
            datum(Values=[1.0] * 151),
            "InvalidParameterValue",
            "The collection MetricData.member.1.Values must not have a size greater than 150.",
        ),
        (
            "put_metric_data",
            datum(Value=1.0, Timestamp=NOW - timedelta(days=15)),
            "InvalidParameterValue",
            "within the past two weeks",
        ),
        (
            "put_metric_data",
            datum(Value=1.0, StorageResolution=1),
            "UnsupportedOperationException",
            "StorageResolution",
        ),
        ("list_metrics", {"NextToken": "?"}, "InvalidParameterValue", "Invalid nextToken"),
        ("list_metrics", {"OwningAccount": "1"}, "UnsupportedOperationException", "OwningAccount"),
    ],
)
def test_wrong_requests_have_the_service_s_errors(cloudwatch, operation, arguments, kind, message):
    response = refused(getattr(cloudwatch, operation), **arguments)
    assert response["Error"]["Code"] == kind
    assert message in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
