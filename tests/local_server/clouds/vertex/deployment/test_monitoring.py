"""Cloud Monitoring through googleapiclient: what predictions publish, and how it is read."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from googleapiclient.errors import HttpError

PREFIX = "aiplatform.googleapis.com/prediction/online/"
NOW = datetime.now(UTC)
SINCE, UNTIL = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
RECENT = {"interval_startTime": SINCE.isoformat(), "interval_endTime": UNTIL.isoformat()}
WHOLE = {"aggregation_alignmentPeriod": "7200s"}


@pytest.fixture(scope="module")
def monitoring(clouds):
    """Give the service `projects` of monitoring v3."""
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from googleapiclient.discovery import build

    with build(
        "monitoring",
        "v3",
        static_discovery=True,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=clouds.url),
    ) as service:
        yield service.projects()


@pytest.fixture(scope="module")
def shop(vertex_service):
    """Give an endpoint that answered three requests of two instances, and refused one."""
    vertex_service.parent = "projects/metrics/locations/us-central1"
    endpoint = vertex_service.create_endpoint(displayName="shop")
    model = vertex_service.upload(displayName="fraud")["name"]
    deployed = vertex_service.deploy(endpoint, model, {"0": 100})
    predict = vertex_service.endpoints.predict
    for _ in range(3):
        predict(endpoint=endpoint, body={"instances": [1.0, 2.0]}).execute()
    with pytest.raises(HttpError):
        predict(endpoint=endpoint, body={"instances": ["x"]}).execute()
    return endpoint, deployed


def words(endpoint, name, more=""):
    own = endpoint.rpartition("/")[2]
    return f'metric.type = "{PREFIX}{name}" AND resource.labels.endpoint_id = "{own}"{more}'


@pytest.fixture
def series(monitoring, shop):
    """Give what lists the series of one of the endpoint's metrics."""

    def read(name, more="", **query):
        request = monitoring.timeSeries().list(
            name="projects/metrics", filter=words(shop[0], name, more), **RECENT | query
        )
        return request.execute().get("timeSeries", [])

    return read


def total(lines):
    return [sum(int(point["value"]["int64Value"]) for point in one["points"]) for one in lines]


def test_requests_are_counted_by_their_status_and_deployed_model(series, shop):
    ok, refused = series("response_count")
    assert total([ok, refused]) == [3, 1]
    assert ok["metric"] == {
        "type": f"{PREFIX}response_count",
        "labels": {
            "deployed_model_id": shop[1],
            "spot": "False",
            "model_display_name": "fraud",
            "endpoint_display_name": "shop",
            "response_code": "2xx",
        },
    }
    assert ok["resource"] == {
        "type": "aiplatform.googleapis.com/Endpoint",
        "labels": {
            "resource_container": "metrics",
            "location": "us-central1",
            "endpoint_id": shop[0].rpartition("/")[2],
        },
    }
    assert (ok["metricKind"], ok["valueType"]) == ("DELTA", "INT64")
    assert refused["metric"]["labels"]["response_code"] == "4xx"


def test_instances_and_errors_are_counted(series):
    assert total(series("prediction_count")) == [6]
    assert total(series("error_count")) == [1]


def test_latencies_are_distributions_of_milliseconds(series):
    lines = series("prediction_latencies")
    kinds = {one["metric"]["labels"]["latency_type"]: one for one in lines}
    assert set(kinds) == {"total", "model", "overhead"}
    values = [point["value"]["distributionValue"] for point in kinds["total"]["points"]]
    assert sum(int(value["count"]) for value in values) == 4
    assert sum(int(size) for value in values for size in value["bucketCounts"]) == 4
    assert 0 < values[0]["mean"] < 60_000


def test_filters_choose_series(series):
    assert total(series("response_count", ' AND metric.labels.response_code = "4xx"')) == [1]
    assert series("response_count", ' metric.labels.deployed_model_id = "1"') == []


def test_an_interval_has_its_end_and_not_its_start(series):
    (point,) = series("error_count")[0]["points"]
    at = {"interval_startTime": point["interval"]["endTime"]}
    assert series("error_count", **at) == []
    at = {"interval_endTime": point["interval"]["endTime"]}
    assert total(series("error_count", **at)) == [1]


@pytest.mark.parametrize(
    ("aligner", "value"),
    [
        ("ALIGN_DELTA", {"int64Value": "3"}),
        ("ALIGN_SUM", {"int64Value": "3"}),
        ("ALIGN_RATE", {"doubleValue": 3 / 7200}),
    ],
)
def test_counts_are_aligned(series, aligner, value):
    ok, _ = series("response_count", aggregation_perSeriesAligner=aligner, **WHOLE)
    (point,) = ok["points"]
    assert point["value"] == value
    assert ok["metricKind"] == ("GAUGE" if aligner == "ALIGN_RATE" else "DELTA")


def test_series_are_reduced_by_group(series, shop):
    query = {"aggregation_perSeriesAligner": "ALIGN_SUM", **WHOLE}
    (one,) = series(
        "response_count",
        aggregation_crossSeriesReducer="REDUCE_SUM",
        aggregation_groupByFields=["metric.label.deployed_model_id", "resource.labels.location"],
        **query,
    )
    assert total([one]) == [4]
    assert one["metric"]["labels"] == {"deployed_model_id": shop[1]}
    assert one["resource"]["labels"] == {"location": "us-central1"}


def test_percentiles_of_latencies(series):
    only = ' AND metric.labels.latency_type = "total"'
    low, high = (
        series("prediction_latencies", only, aggregation_perSeriesAligner=f"ALIGN_{name}", **WHOLE)[
            0
        ]["points"][0]["value"]["doubleValue"]
        for name in ("PERCENTILE_05", "PERCENTILE_99")
    )
    assert 0 <= low <= high < 60_000


def test_points_are_listed_in_pages(monitoring, shop):
    calls = monitoring.timeSeries()
    request = calls.list(
        name="projects/metrics",
        filter=words(shop[0], "response_count"),
        pageSize=1,
        **RECENT,
    )
    lines = []
    while request is not None:
        answer = request.execute()
        lines += answer["timeSeries"]
        request = calls.list_next(request, answer)
    assert len(lines) == 2
    headers = calls.list(
        name="projects/metrics",
        filter=words(shop[0], "error_count"),
        view="HEADERS",
        **RECENT,
    ).execute()
    assert "points" not in headers["timeSeries"][0]


def test_another_project_has_its_own_metrics(monitoring, shop):
    request = monitoring.timeSeries().list(
        name="projects/other", filter=words(shop[0], "response_count"), **RECENT
    )
    assert "timeSeries" not in request.execute()


def test_metrics_are_described(monitoring):
    first_page = monitoring.metricDescriptors().list(name="projects/p", pageSize=3).execute()
    assert len(first_page["metricDescriptors"]) == 3
    rest = (
        monitoring.metricDescriptors()
        .list(name="projects/p", pageSize=3, pageToken=first_page["nextPageToken"])
        .execute()
    )
    (last,) = rest["metricDescriptors"]
    got = monitoring.metricDescriptors().get(name=last["name"]).execute()
    assert got == last
    assert (last["metricKind"], last["launchStage"]) == ("DELTA", "BETA")


COUNTS = f'metric.type = "{PREFIX}error_count"'


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"filter": 'resource.type = "x"'}, "INVALID_ARGUMENT", "a restriction on"),
        ({"filter": 'metric.type = "custom.googleapis.com/x"'}, "NOT_FOUND", "Cannot find metric"),
        ({"filter": f'metric.type = "{PREFIX}replicas"'}, "UNIMPLEMENTED", "not available offline"),
        ({"interval_endTime": "yesterday"}, "INVALID_ARGUMENT", "Illegal timestamp format"),
        ({"interval_startTime": "2100-01-01T00:00:00Z"}, "INVALID_ARGUMENT", "later than"),
        ({"aggregation_perSeriesAligner": "ALIGN_SUM"}, "INVALID_ARGUMENT", "at least 60 seconds"),
        (
            {"aggregation_perSeriesAligner": "ALIGN_PERCENTILE_99", **WHOLE},
            "INVALID_ARGUMENT",
            "cannot be applied to metrics with kind DELTA and value type INT64.",
        ),
        ({"aggregation_perSeriesAligner": "ALIGN_STDDEV", **WHOLE}, "UNIMPLEMENTED", "STDDEV"),
        ({"aggregation_crossSeriesReducer": "REDUCE_SUM"}, "INVALID_ARGUMENT", "is required"),
        ({"orderBy": "x"}, "INVALID_ARGUMENT", "orderBy"),
        ({"pageToken": "x"}, "INVALID_ARGUMENT", "pageToken"),
        (
            {"secondaryAggregation_alignmentPeriod": "60s"},
            "UNIMPLEMENTED",
            "secondaryAggregation",
        ),
    ],
)
@pytest.mark.usefixtures("shop")
def test_wrong_queries_are_refused(monitoring, refused, query, status, text):
    request = monitoring.timeSeries().list(
        name="projects/metrics", **{"filter": COUNTS, **RECENT, **query}
    )
    _, code, message = refused(request)
    assert (code, text in message) == (status, True), message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "projects/p/timeSeries"),
        ("POST", "projects/p/timeSeries:query"),
        ("GET", "projects/p/alertPolicies"),
        ("POST", "projects/p/metricDescriptors"),
        ("GET", "organizations/1/timeSeries"),
    ],
)
def test_other_methods_are_refused_by_name(clouds, method, path):
    response = requests.request(method, f"{clouds.url}/v3/{path}", timeout=60)
    error = response.json()["error"]
    assert (response.status_code, error["status"]) == (501, "UNIMPLEMENTED")
    assert path.rpartition("/")[2].partition(":")[0] in error["message"]
