"""`--latency realistic` on SageMaker: the durations of endpoints and batch jobs."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import DOUBLED, ROLE, Aws
from tests.local_server.clouds.aws.sagemaker.components.conftest import Host


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


def test_a_component_takes_five_minutes_and_its_copies_one(slow, clock, poll_until):
    aws, host = slow, Host(slow, "host")
    aws.add_model("hosted", "s3://models/double/")
    own = {"VariantName": "main", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    aws.add_config("host", own, ExecutionRoleArn=ROLE)
    aws.sm.create_endpoint(EndpointName="host", EndpointConfigName="host")
    clock.until_someone_waits(300)
    with pytest.raises(ClientError, match="while it is Creating"):
        host.sm.create_inference_component(**host.request("c", "hosted"))
    clock.advance(300)
    aws.settled("host")
    host.sm.create_inference_component(**host.request("c", "hosted"))
    clock.until_someone_waits(300)
    assert host.describe("c")["InferenceComponentStatus"] == "Creating"
    with pytest.raises(ClientError, match="has no capacity"):
        host.ask("c")
    with pytest.raises(ClientError, match="while it is in state CREATE_IN_PROGRESS"):
        host.sm.delete_inference_component(InferenceComponentName="c")
    clock.advance(300)
    assert host.settled("c")["InferenceComponentStatus"] == "InService"
    wanted = {"InferenceComponentName": "c", "DesiredRuntimeConfig": {"CopyCount": 2}}
    host.sm.update_inference_component_runtime_config(**wanted)
    clock.until_someone_waits(60)
    assert host.describe("c")["RuntimeConfig"] == {"DesiredCopyCount": 2, "CurrentCopyCount": 1}
    assert host.ask("c") == DOUBLED
    clock.advance(60)
    host.settled("c")
    host.sm.delete_inference_component(InferenceComponentName="c")
    clock.until_someone_waits(20)
    assert host.describe("c")["InferenceComponentStatus"] == "Deleting"
    clock.advance(20)
    poll_until(host.sm.list_inference_components, lambda page: not page["InferenceComponents"])
