"""The console of the offline clouds: beside the real SDKs, and without changing what they get."""

import json
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest
from botocore.exceptions import ClientError

API = "/_cloudserve/console/api"
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


def ask(clouds, method, path, headers=None, body=None):
    connection = HTTPConnection("127.0.0.1", clouds.emulator.port, timeout=60)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    read = answer.status, answer.read()
    connection.close()
    return read


def token(clouds):
    return clouds.emulator.console_url.rpartition("=")[2]


@contextmanager
def followed(clouds):
    """Follow the clouds as a page does; give the response, of which the first events are whole."""
    connection = HTTPConnection("127.0.0.1", clouds.emulator.port, timeout=60)
    connection.request("GET", f"{API}/events")
    with connection.getresponse() as answer:
        yield answer
    connection.close()


def shown(clouds, part):
    """Return a part as a page that is opened now gets it."""
    with followed(clouds) as answer:
        while answer.readline() != f"event: {part}\n".encode():
            pass
        return json.loads(answer.readline()[6:])


@pytest.fixture
def bucket(clouds):
    client = clouds.aws("s3")
    client.create_bucket(Bucket="console")
    client.put_object(Bucket="console", Key="<b>.txt", Body=b"12345")
    yield client
    client.delete_object(Bucket="console", Key="<b>.txt")
    client.delete_bucket(Bucket="console")


def test_a_browser_gets_the_page_where_sdks_list_their_buckets(clouds, bucket):
    assert b"cloudserve console" in ask(clouds, "GET", "/", BROWSER)[1]
    assert b"cloudserve console" in ask(clouds, "GET", "/console", BROWSER)[1]
    names = [each["Name"] for each in bucket.list_buckets()["Buckets"]]
    assert "console" in names
    listed = bucket.list_objects_v2(Bucket="console")["Contents"]
    assert [each["Key"] for each in listed] == ["<b>.txt"]
    assert ask(clouds, "GET", "/")[0] == 404
    assert ask(clouds, "GET", "/docs", BROWSER)[0] == 404


def test_buckets_and_their_objects_are_shown(clouds, bucket):
    (row,) = [row for row in shown(clouds, "buckets") if row["name"] == "console"]
    assert (row["scheme"], row["objects"], row["bytes"]) == ("s3", 1, 5)
    status, body = ask(clouds, "GET", f"{API}/objects/s3/console")
    assert status == 200
    assert [each["key"] for each in json.loads(body)] == ["<b>.txt"]
    assert ask(clouds, "GET", f"{API}/objects/s3/none")[0] == 404
    assert ask(clouds, "GET", f"{API}/objects/ftp/console")[0] == 404


def test_a_failed_call_is_kept_with_its_text_even_if_no_page_was_open(clouds):
    with pytest.raises(ClientError) as refused:
        clouds.aws("sagemaker").describe_endpoint(EndpointName="not-for-the-console")
    calls = shown(clouds, "calls")
    (call,) = [each for each in calls if "not-for-the-console" in each["error"]]
    assert (call["service"], call["operation"]) == ("SageMaker", "DescribeEndpoint")
    assert call["error"] == refused.value.response["Error"]["Message"]
    assert call["status"] == 400


def test_object_calls_are_kept_while_a_page_is_open(clouds, bucket):
    with followed(clouds) as answer:
        answer.readline()
        bucket.put_object(Bucket="console", Key="<b>.txt", Body=b"1234567")
    calls = shown(clouds, "calls")
    paths = {each["resource"] for each in calls if each["operation"] == "PutObject"}
    assert "/console/<b>.txt" in paths


def test_resources_appear_and_go_as_the_sdk_makes_them(clouds):
    client = clouds.aws("cloudwatch")
    client.put_metric_alarm(
        AlarmName="shown",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    try:
        rows = shown(clouds, "resources")
    finally:
        client.delete_alarms(AlarmNames=["shown"])
    (row,) = [row for row in rows if row["name"] == "shown"]
    assert (row["cloud"], row["kind"], row["place"]) == ("AWS", "alarm", "us-east-1")
    assert row["about"] == "AWS/SageMaker Invocation5XXErrors"
    assert all(row["name"] != "shown" for row in shown(clouds, "resources"))


def test_faults_are_changed_with_the_token_only(clouds):
    rules = json.dumps({"faults": [{"route": "SageMaker.ListModels", "status": 503}]})
    kind = {"Content-Type": "application/json"}
    own = {**kind, "X-Cloudserve-Token": token(clouds)}
    path = f"{API}/faults"
    for headers in (kind, {**kind, "X-Cloudserve-Token": "guessed"}):
        assert ask(clouds, "POST", path, headers, rules)[0] == 403
    assert ask(clouds, "POST", path, {**own, "Origin": "https://evil.example"}, rules)[0] == 403
    assert ask(clouds, "POST", path, own, "{}}")[0] == 400
    assert ask(clouds, "PUT", path, own, rules)[0] == 405
    assert ask(clouds, "POST", path, own, rules)[0] == 200
    try:
        assert [rule["route"] for rule in shown(clouds, "faults")] == ["SageMaker.ListModels"]
        with pytest.raises(ClientError, match="an injected fault"):
            clouds.aws("sagemaker").list_models()
    finally:
        assert ask(clouds, "DELETE", path, own)[0] == 200
    assert shown(clouds, "faults") == []
