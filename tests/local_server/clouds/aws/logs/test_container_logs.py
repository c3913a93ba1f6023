"""The output of containers and their code, in the groups and streams where SageMaker writes it."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from cloudserve.local_server.clouds.aws.logs import store as store_module
from cloudserve.local_server.clouds.aws.logs.store import LogStore, Span

SCRIPT = """
import sys

print("imported")

def input_handler(data, context):
    body = data.read().decode()
    print("asked:", body)
    print("warned", file=sys.stderr)
    return body

def output_handler(response, context):
    return response.content, "application/json"
"""


@pytest.fixture(scope="module")
def logs(clouds):
    client = clouds.aws("logs")
    yield client
    client.close()


@pytest.fixture
def scripted(aws, fresh, models):
    """Return a function that makes a model with a code/inference.py."""

    def make(script):
        aws.running.upload(fresh, "m/double/", models / "double")
        aws.s3.put_object(Bucket=fresh, Key="m/code/inference.py", Body=script.encode())
        aws.add_model(fresh, f"s3://{fresh}/m/")
        return fresh

    return make


def messages(logs, group, **more):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **more)
    return [event["message"] for page in pages for event in page["events"]]


def test_inference_py_prints_into_the_log_of_its_endpoint(aws, logs, scripted, poll_until):
    name = scripted(SCRIPT)
    aws.add_config(name, aws.variant("main", name))
    aws.add_endpoint(name)
    aws.invoke(name, b'{"instances": [3]}')
    group = f"/aws/sagemaker/Endpoints/{name}"
    lines = poll_until(lambda: messages(logs, group), lambda lines: "warned" in lines)
    assert lines[:3] == [
        "INFO:__main__:starting services",
        "INFO:__main__:using default model name: double",
        "imported",
    ]
    assert 'asked: {"instances": [3]}' in lines
    requests = [line for line in lines if "POST /invocations HTTP/1.1" in line]
    assert re.fullmatch(
        r'127.0.0.1 - - \[.*\] "POST /invocations HTTP/1.1" 200 28 "-" "-"', requests[0]
    )
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert re.fullmatch(r"main/i-[0-9a-f]{17}", stream["logStreamName"])


def test_the_reason_of_a_container_that_does_not_start_outlives_the_endpoint(aws, logs, scripted):
    name = scripted("raise RuntimeError('no licence')")
    aws.add_config(name, aws.variant("main", name))
    aws.sm.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert aws.settled(name)["EndpointStatus"] == "Failed"
    aws.sm.delete_endpoint(EndpointName=name)
    lines = messages(logs, f"/aws/sagemaker/Endpoints/{name}", filterPattern='"no licence"')
    assert len(lines) >= 1


def test_each_deployment_of_an_endpoint_has_a_stream(aws, logs, doubling):
    aws.add_config(f"{doubling}-2", aws.variant("main", doubling))
    aws.sm.update_endpoint(EndpointName=doubling, EndpointConfigName=f"{doubling}-2")
    assert aws.settled(doubling)["EndpointStatus"] == "InService"
    streams = logs.describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{doubling}")
    assert len(streams["logStreams"]) == 2


def test_a_transform_job_has_a_stream(aws, logs, fresh, models, tmp_path, poll_until):
    name = fresh
    aws.s3.create_bucket(Bucket=name)
    folder = tmp_path / "tree"
    shutil.copytree(models / "double", folder / "double")
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(SCRIPT)
    aws.add_model(name, aws.add_archive(name, "model.tar.gz", folder))
    aws.s3.put_object(Bucket=name, Key="in/rows", Body=b'{"instances": [5]}')
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{name}/in/"}}
    aws.sm.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "ContentType": "application/json"},
        TransformOutput={"S3OutputPath": f"s3://{name}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    job = poll_until(
        lambda: aws.sm.describe_transform_job(TransformJobName=name),
        lambda job: job["TransformJobStatus"] != "InProgress",
    )
    assert job["TransformJobStatus"] == "Completed"
    group = "/aws/sagemaker/TransformJobs"
    lines = messages(logs, group, logStreamNamePrefix=f"{name}/")
    assert 'asked: {"instances": [5]}' in lines
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")[
        "logStreams"
    ]
    assert re.fullmatch(rf"{name}/i-[0-9a-f]{{17}}-\d{{10}}", stream["logStreamName"])


def test_a_stream_keeps_its_last_events(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_EVENTS", 30)
    monkeypatch.setattr(store_module, "_BETWEEN_TRIMS", 10)
    store = LogStore(tmp_path / "logs", lambda: 0.0)
    store.create_group("r", "g")
    store.create_stream("r", "g", "s")
    for i in range(100):
        store.add("r", "g", "s", [(i, str(i))])
    stream = store.stream("r", "g", "s")
    assert [event.time for event in store.events([stream.id], Span(), 1000)] == list(range(70, 100))
    store.close()


def test_lines_after_the_end_are_dropped(tmp_path):
    store = LogStore(tmp_path / "logs", lambda: 0.0)
    store.create_group("r", "g")
    store.create_stream("r", "g", "s")
    store.add("r", "g", "s", [(1, "kept")])
    store.close()
    store.add("r", "g", "s", [(2, "late")])
    again = LogStore(tmp_path / "logs", lambda: 0.0)
    stream = again.stream("r", "g", "s")
    assert [event.message for event in again.events([stream.id], Span(), 10)] == ["kept"]
    again.close()


@pytest.fixture
def failing(tmp_path):
    """Give a store with a group of a stream and an event, whose disk is full for some rows."""
    store = LogStore(tmp_path / "logs", lambda: 0.0)
    store.create_group("r", "g")
    store.create_stream("r", "g", "s")
    store.add("r", "g", "s", [(1, "first")])
    with closing(sqlite3.connect(tmp_path / "logs")) as other:
        for event in ("INSERT ON events WHEN new.message = 'bad'", "DELETE ON streams"):
            other.execute(
                f"CREATE TRIGGER fails_{event[0]} BEFORE {event}"
                " BEGIN SELECT raise(ABORT, 'the disk is full'); END"
            )
    yield store
    store.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.add("r", "g", "s", [(2, "good"), (3, "bad")]),
        lambda store: store.delete_group("r", "g"),
        lambda store: store.delete_stream("r", "g", "s"),
    ],
)
def test_a_change_that_fails_changes_nothing(failing, call):
    with pytest.raises(sqlite3.Error, match="the disk is full"):
        call(failing)
    (stream,) = failing.streams("r", "g")
    assert failing.has_group("r", "g")
    assert [one.message for one in failing.events([stream.id], Span(), 10)] == ["first"]
