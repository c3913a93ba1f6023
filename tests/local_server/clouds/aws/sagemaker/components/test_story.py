"""Inference components for boto3: their life, their invocations, their places on the instances."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import DOUBLED, JSON, TRIPLED, refusal, refused

ARN = "arn:aws:sagemaker:us-east-1:000000000000"


def test_two_models_share_an_endpoint_until_they_are_deleted(host, fresh):
    created = host.sm.create_inference_component(**host.request(f"{fresh}-a", f"{fresh}-2"))
    assert created["InferenceComponentArn"] == f"{ARN}:inference-component/{fresh}-a"
    shown = host.settled(f"{fresh}-a")
    assert shown["InferenceComponentStatus"] == "InService"
    assert (shown["EndpointName"], shown["VariantName"]) == (fresh, "main")
    assert shown["RuntimeConfig"] == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
    assert shown["Specification"]["ModelName"] == f"{fresh}-2"
    host.add(f"{fresh}-b", f"{fresh}-3")
    assert host.ask(f"{fresh}-a") == DOUBLED
    assert host.ask(f"{fresh}-b") == TRIPLED

    error = refusal(host.sm.delete_endpoint, EndpointName=fresh)
    assert error == (
        "ValidationException",
        (
            "Cannot delete endpoint with inference component associated. Please delete inference"
            " component and try it again."
        ),
    )
    host.remove(f"{fresh}-a")
    host.remove(f"{fresh}-b")
    host.sm.delete_endpoint(EndpointName=fresh)


def test_an_endpoint_of_components_shows_no_images(host, fresh):
    (variant,) = host.aws.describe(fresh)["ProductionVariants"]
    assert "DeployedImages" not in variant
    assert variant["CurrentInstanceCount"] == 1


def test_a_new_model_takes_over_and_a_missing_one_changes_nothing(host, fresh):
    host.add(fresh, f"{fresh}-2")
    changed = host.request(fresh, f"{fresh}-3")["Specification"]
    host.sm.update_inference_component(InferenceComponentName=fresh, Specification=changed)
    assert host.settled(fresh)["Specification"]["ModelName"] == f"{fresh}-3"
    assert host.ask(fresh) == TRIPLED
    missing = host.request(fresh, "nobody")["Specification"]
    code, text = refusal(
        host.sm.update_inference_component, InferenceComponentName=fresh, Specification=missing
    )
    assert (code, text) == ("ValidationException", f'Could not find model "{ARN}:model/nobody".')
    assert host.ask(fresh) == TRIPLED


def test_without_copies_there_is_no_capacity(host, fresh):
    host.add(fresh, f"{fresh}-2")
    wanted = {"InferenceComponentName": fresh, "DesiredRuntimeConfig": {"CopyCount": 0}}
    host.sm.update_inference_component_runtime_config(**wanted)
    assert host.settled(fresh)["RuntimeConfig"]["CurrentCopyCount"] == 0
    with pytest.raises(ClientError, match="Inference Component has no capacity") as caught:
        host.ask(fresh)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert total(host, "NoCapacityInvocationFailures", fresh) == 1.0
    wanted["DesiredRuntimeConfig"] = {"CopyCount": 2}
    host.sm.update_inference_component_runtime_config(**wanted)
    assert host.settled(fresh)["RuntimeConfig"]["CurrentCopyCount"] == 2
    assert host.ask(fresh) == DOUBLED
    assert total(host, "Invocations", fresh) == 1.0
    assert total(host, "InvocationsPerCopy", fresh) == 0.5


def total(host, metric: str, component: str) -> float:
    now = datetime.now(UTC)
    answer = host.aws.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": "InferenceComponentName", "Value": component}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def test_each_component_has_a_log_group(host, fresh):
    host.add(fresh, f"{fresh}-2")
    group = f"/aws/sagemaker/InferenceComponents/{fresh}"
    logs = host.aws.running.aws("logs")
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["logStreamName"].startswith(f"{fresh}/i-")
    with pytest.raises(host.aws.runtime.exceptions.ModelError) as caught:
        host.ask(fresh, b"nonsense")
    assert caught.value.response["LogStreamArn"].endswith(f":log-group:{group}")


class TestNames:
    def test_an_invocation_names_the_component(self, host, fresh):
        response = refused(host.aws.invoke, fresh)
        assert response["Error"]["Code"] == "ValidationError"
        assert response["Error"]["Message"].startswith(
            "Inference Component Name header is required for endpoints to which you plan to deploy"
        )
        url = f"{host.aws.runtime.meta.endpoint_url}/endpoints/{fresh}/invocations"
        with pytest.raises(HTTPError) as caught, urlopen(Request(url, b"[1]", method="POST")):
            pass
        with caught.value as answer:
            assert json.load(answer)["ErrorCode"] == "INFERENCE_COMPONENT_NAME_MISSING"

    def test_a_component_of_another_endpoint_does_not_answer(self, host, fresh):
        with pytest.raises(ClientError, match=f"nobody not found for endpoint {fresh}"):
            host.ask("nobody")

    def test_an_endpoint_of_models_takes_no_name(self, aws, doubling):
        with pytest.raises(ClientError, match="Name header is not allowed for endpoints"):
            aws.invoke(doubling, InferenceComponentName="x")

    def test_a_component_is_listed_by_its_endpoint(self, host, fresh):
        host.add(fresh, f"{fresh}-2")
        listed = host.sm.list_inference_components(EndpointNameEquals=fresh)["InferenceComponents"]
        assert [each["InferenceComponentName"] for each in listed] == [fresh]
        assert listed[0]["InferenceComponentStatus"] == "InService"
        chosen = {"EndpointNameEquals": fresh, "StatusEquals": "Failed"}
        assert host.sm.list_inference_components(**chosen)["InferenceComponents"] == []
        again = host.request(fresh.upper(), f"{fresh}-2")
        with pytest.raises(ClientError, match="Cannot create already existing inference component"):
            host.sm.create_inference_component(**again)

    def test_tags_are_those_of_other_resources(self, host, fresh):
        tags = [{"Key": "team", "Value": "a"}]
        host.sm.create_inference_component(**host.request(fresh, f"{fresh}-2"), Tags=tags)
        arn = host.settled(fresh)["InferenceComponentArn"]
        assert host.sm.list_tags(ResourceArn=arn)["Tags"] == tags


class TestRoom:
    def test_a_component_larger_than_its_instance_fails(self, host, fresh):
        shown = host.add(fresh, f"{fresh}-2", MinMemoryRequiredInMb=8192)
        assert shown["InferenceComponentStatus"] == "Failed"
        assert shown["FailureReason"].startswith("There is not enough hardware resources")
        assert shown["RuntimeConfig"]["CurrentCopyCount"] == 0

    def test_an_instance_without_accelerators_hosts_none_that_need_them(self, host, fresh):
        shown = host.add(fresh, f"{fresh}-2", NumberOfAcceleratorDevicesRequired=1)
        assert shown["InferenceComponentStatus"] == "Failed"

    def test_copies_that_do_not_fit_leave_the_old_ones(self, host, fresh):
        host.add(fresh, f"{fresh}-2", NumberOfCpuCoresRequired=1)
        host.sm.update_inference_component_runtime_config(
            InferenceComponentName=fresh, DesiredRuntimeConfig={"CopyCount": 3}
        )
        shown = host.settled(fresh)
        assert shown["InferenceComponentStatus"] == "Failed"
        assert shown["RuntimeConfig"] == {"DesiredCopyCount": 3, "CurrentCopyCount": 1}
        assert host.ask(fresh) == DOUBLED


def test_a_container_of_its_own_is_read_with_the_endpoints_role(host, fresh, archived):
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312"
    request = host.request(fresh, "")
    del request["Specification"]["ModelName"]
    container = {"Image": image, "ArtifactUrl": archived["double"]}
    request["Specification"]["Container"] = container
    host.sm.create_inference_component(**request)
    shown = host.settled(fresh)["Specification"]["Container"]
    assert shown["DeployedImage"]["SpecifiedImage"] == image
    assert shown["ArtifactUrl"] == archived["double"]
    assert host.ask(fresh) == DOUBLED


def test_an_answer_is_streamed(host, fresh):
    host.add(fresh, f"{fresh}-2")
    answer = host.aws.runtime.invoke_endpoint_with_response_stream(
        EndpointName=fresh,
        InferenceComponentName=fresh,
        ContentType=JSON,
        Body=b'{"instances": [1]}',
    )
    assert b"2.0" in b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"])
