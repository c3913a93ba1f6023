"""`--latency realistic` on SageMaker: the durations of endpoints and batch jobs."""

from __future__ import annotations

import pytest

from tests.local_server.clouds.aws.conftest import ROLE, Aws


@pytest.fixture(scope="module")
def slow(clock, models, start_emulators, poll_until) -> Aws:
    """Provide clients of an emulator whose operations take as long as the cloud's."""
    from cloudserve.local_server.clouds.latency import Latency

    running = start_emulators(None, latency=Latency(clock, is_realistic=True))
    running.upload("models", "", models)
    return Aws(running, poll_until)


def test_an_endpoint_is_made_in_five_minutes_and_gone_in_twenty_seconds(slow, clock, poll_until):
    slow.add_model("m", "s3://models/double/")
    slow.add_config("c", slow.variant("main", "m"))
    slow.sm.create_endpoint(EndpointName="e", EndpointConfigName="c")
    clock.until_someone_waits(300)
    clock.advance(299)
    assert slow.describe("e")["EndpointStatus"] == "Creating"
    clock.advance(1)
    assert slow.settled("e")["EndpointStatus"] == "InService"
    slow.sm.delete_endpoint(EndpointName="e")
    clock.until_someone_waits(20)
    assert slow.describe("e")["EndpointStatus"] == "Deleting"
    clock.advance(20)
    poll_until(slow.sm.list_endpoints, lambda listed: not listed["Endpoints"])


def test_a_batch_job_waits_for_its_machines_and_stops_while_it_does(
    slow, clock, models, poll_until
):
    slow.sm.create_model(
        ModelName="batch",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.19-cpu",
            "ModelDataUrl": slow.add_archive("models", "double.tar.gz", models / "double"),
        },
    )
    slow.s3.put_object(Bucket="models", Key="input/a.json", Body=b'{"instances": [1]}')
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/input/"}}
    slow.sm.create_transform_job(
        TransformJobName="j",
        ModelName="batch",
        TransformInput={"DataSource": source, "ContentType": "application/json"},
        TransformOutput={"S3OutputPath": "s3://models/output"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    clock.until_someone_waits(360)
    slow.sm.stop_transform_job(TransformJobName="j")
    ended = poll_until(
        lambda: slow.sm.describe_transform_job(TransformJobName="j"),
        lambda job: job["TransformJobStatus"] not in {"InProgress", "Stopping"},
    )
    assert ended["TransformJobStatus"] == "Stopped"
