"""Components in the permissions that requests need, and in the console."""

from __future__ import annotations

from cloudserve.local_server.clouds.aws.permissions.needs import of_sagemaker

from tests.local_server.clouds.aws.conftest import ROLE
from tests.local_server.clouds.console.test_clouds_console import shown

ARN = "arn:aws:sagemaker:us-east-1:000000000000"


def needs(operation: str, **body) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in of_sagemaker(operation, "us-east-1", body)]


def test_a_component_needs_its_endpoint_and_itself():
    create = "sagemaker:CreateInferenceComponent"
    assert needs("CreateInferenceComponent", EndpointName="E", InferenceComponentName="C") == [
        (create, f"{ARN}:endpoint/e"),
        (create, f"{ARN}:inference-component/c"),
    ]
    assert needs("DeleteInferenceComponent", InferenceComponentName="C") == [
        ("sagemaker:DeleteInferenceComponent", f"{ARN}:inference-component/c")
    ]


def test_a_role_of_a_configuration_is_passed():
    assert needs("CreateEndpointConfig", EndpointConfigName="c", ExecutionRoleArn=ROLE) == [
        ("sagemaker:CreateEndpointConfig", f"{ARN}:endpoint-config/c"),
        ("iam:PassRole", ROLE),
    ]


def test_the_console_shows_a_component_and_its_endpoint(host, fresh):
    host.add(fresh, f"{fresh}-2", copies=2)
    rows = {
        row["kind"]: row for row in shown(host.aws.running, "resources") if row["name"] == fresh
    }
    component = rows["inference component"]
    assert component["state"] == "InService"
    assert component["about"] == f"{fresh}-2 on {fresh}, 2 of 2 copies"
    (share,) = rows["endpoint"]["shares"]
    assert (share["runs"], share["machines"]) == ("inference components", "1 x ml.m5.large")
    assert rows["endpoint"]["path"] == ""  # the page's form would name no component
