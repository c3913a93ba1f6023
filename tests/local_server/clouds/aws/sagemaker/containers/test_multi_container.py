"""Models of several containers: pipelines, and containers that requests name."""

from __future__ import annotations

import json

import pytest

from tests.local_server.clouds.aws.conftest import IMAGE, JSON, ROLE, Aws, refused
from tests.local_server.clouds.images import ECR, write_server

FILES = {
    name: {
        "ModelDataSource": {
            "S3DataSource": {
                "S3Uri": f"s3://models/{name}/",
                "S3DataType": "S3Prefix",
                "CompressionType": "None",
            }
        }
    }
    for name in ("double", "triple")
}
DOUBLE, TRIPLE = ({"Image": IMAGE, **FILES[name]} for name in FILES)
OWN = {"Image": f"{ECR}/serves:1", **FILES["double"]}
DIRECT = {"Mode": "Direct"}


@pytest.fixture(scope="module")
def aws(models, start_emulators, poll_until, tmp_path_factory) -> Aws:
    commands = write_server(tmp_path_factory.mktemp("image"))
    running = start_emulators(None, rehearsals=commands)
    running.upload("models", "", models)
    return Aws(running, poll_until)


@pytest.fixture
def create(aws, fresh):
    """Return a function that creates a model of several containers."""

    def make(*containers: dict, **more):
        return aws.sm.create_model(
            ModelName=fresh, ExecutionRoleArn=ROLE, Containers=list(containers), **more
        )

    return make


@pytest.fixture
def deploy(aws, fresh, create):
    """Return a function that deploys such a model; it returns the endpoint at the end."""

    def make(*containers: dict, **more) -> dict:
        create(*containers, **more)
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        return aws.settled(fresh)

    return make


def named(container: dict, name: str) -> dict:
    return container | {"ContainerHostname": name}


def test_each_container_of_a_pipeline_gets_the_answer_of_the_one_before(aws, deploy, fresh):
    shown = deploy(OWN, DOUBLE)
    images = [each["SpecifiedImage"] for each in shown["ProductionVariants"][0]["DeployedImages"]]
    assert images == [OWN["Image"], IMAGE]
    assert json.loads(aws.invoke(fresh, b"rows", ContentType="text/csv")) == {
        "predictions": [2.0, 4.0]
    }
    logs = aws.running.aws("logs")
    streams = logs.describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{fresh}")
    ends = {each["logStreamName"].rpartition("/")[2] for each in streams["logStreams"]}
    assert ends == {"container-1", "container-2"}


def test_the_last_container_gets_the_callers_accept_and_the_types_of_the_answer(aws, deploy, fresh):
    deploy(DOUBLE, OWN)
    (seen,) = json.loads(aws.invoke(fresh, Accept="text/x", CustomAttributes="trace=6"))[
        "predictions"
    ]
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert json.loads(seen["body"]) == {"predictions": [2.0]}
    assert (headers["content-type"], headers["accept"]) == (JSON, "text/x")
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=6"


def test_an_error_names_its_container(aws, deploy, fresh):
    deploy(named(OWN, "first"), named(DOUBLE, "second"))
    for body, status, name in ((b"refuse", 422, "first"), (b"text", 400, "second")):
        arguments = {"EndpointName": fresh, "ContentType": JSON, "Body": body}
        answer = refused(aws.runtime.invoke_endpoint, **arguments)
        assert answer["OriginalStatusCode"] == status
        assert f"Received client error ({status}) from {name} with" in answer["Error"]["Message"]


@pytest.mark.slow
def test_a_container_that_does_not_start_is_named_and_the_others_end(aws, deploy):
    shown = deploy(OWN, {"Image": f"{ECR}/exits:1", **FILES["double"]})
    assert shown["EndpointStatus"] == "Failed"
    assert shown["FailureReason"].startswith(
        "The container-2 for production variant main did not pass the ping health check."
    )


def test_a_request_names_one_of_several_containers(aws, deploy, fresh):
    deploy(named(DOUBLE, "two"), named(TRIPLE, "three"), InferenceExecutionConfig=DIRECT)
    shown = aws.sm.describe_model(ModelName=fresh)
    assert [each["ContainerHostname"] for each in shown["Containers"]] == ["two", "three"]
    assert (shown["InferenceExecutionConfig"], "PrimaryContainer" in shown) == (DIRECT, False)
    for name, product in (("two", 2.0), ("three", 3.0)):
        answer = json.loads(aws.invoke(fresh, TargetContainerHostname=name))
        assert answer == {"predictions": [product]}
    arguments = {"EndpointName": fresh, "ContentType": JSON, "Body": b"[1]"}
    for more, words in (
        ({}, "the target container hostname header is required"),
        ({"TargetContainerHostname": "four"}, "Target container four not found"),
        ({"TargetModel": "x", "TargetContainerHostname": "two"}, "not a multi-model endpoint"),
    ):
        error = refused(aws.runtime.invoke_endpoint, **arguments, **more)["Error"]
        assert (error["Code"], words in error["Message"]) == ("ValidationError", True), error


def test_other_endpoints_take_no_name_of_a_container(aws, fresh):
    aws.add_model(fresh, "s3://models/double/")
    aws.add_config(fresh, aws.variant("main", fresh))
    aws.add_endpoint(fresh)
    arguments = {"EndpointName": fresh, "ContentType": JSON, "Body": b"[1]"}
    error = refused(aws.runtime.invoke_endpoint, **arguments, TargetContainerHostname="two")
    assert "not configured for direct invocation" in error["Error"]["Message"]


MULTI = {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": "s3://models/many/"}


@pytest.mark.parametrize(
    ("containers", "more", "words"),
    [
        ([DOUBLE, TRIPLE], {"InferenceExecutionConfig": DIRECT}, "ContainerHostname is required"),
        ([named(DOUBLE, "a"), TRIPLE], {}, "ContainerHostname is required"),
        ([named(DOUBLE, "a"), named(TRIPLE, "a")], {}, "must be unique"),
        ([MULTI, MULTI], {}, "More than one container in MultiModel mode is not supported"),
        ([MULTI, DOUBLE], {}, "A MultiModel container beside others is not available offline"),
        ([DOUBLE], {"InferenceExecutionConfig": DIRECT}, "needs more than one container"),
        ([DOUBLE, TRIPLE], {"PrimaryContainer": DOUBLE}, "Only one of PrimaryContainer and"),
        ([DOUBLE] * 16, {}, "less than or equal to 15"),
        ([DOUBLE, {"Image": IMAGE, "ModelDataUrl": "s3://models/no"}], {}, "s3://models/no"),
    ],
)
def test_contradictory_containers_are_refused(create, containers, more, words):
    error = refused(create, *containers, **more)["Error"]
    assert (error["Code"], words in error["Message"]) == ("ValidationException", True), error


def test_several_containers_are_refused_where_the_service_refuses_them(aws, create, fresh):
    create(DOUBLE, TRIPLE)
    serverless = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
    for variants in (
        {"ProductionVariants": [aws.variant("main", fresh, ServerlessConfig=serverless)]},
        {
            "ProductionVariants": [aws.variant("main", fresh)],
            "ShadowProductionVariants": [aws.variant("shadow", fresh)],
        },
    ):
        answer = refused(aws.sm.create_endpoint_config, EndpointConfigName=fresh, **variants)
        assert "A model of several containers cannot be used" in answer["Error"]["Message"]
