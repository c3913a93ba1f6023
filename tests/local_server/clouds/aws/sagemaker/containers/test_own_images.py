"""A user's own image, replaced by a command: SageMaker's container contract."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress

import botocore.exceptions
import pytest

from tests.local_server.clouds.aws.conftest import ROLE, Aws
from tests.local_server.clouds.images import ECR, write_server


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return write_server(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def aws(models, commands, start_emulators, poll_until) -> Aws:
    running = start_emulators(None, rehearsals=commands)
    running.upload("models", "", models)
    return Aws(running, poll_until)


@pytest.fixture
def deploy(aws, fresh):
    """Return a function that deploys an image; it returns what DescribeEndpoint says at the end."""

    def make(mode: str, **variant) -> dict:
        data = {
            "S3Uri": "s3://models/double/",
            "S3DataType": "S3Prefix",
            "CompressionType": "None",
        }
        container = {
            "Image": f"{ECR}/{mode}:1",
            "ModelDataSource": {"S3DataSource": data},
            "Environment": {"STAGE": "test", "AWS_SESSION_TOKEN": "the model's"},
        }
        aws.sm.create_model(ModelName=fresh, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        aws.add_config(fresh, aws.variant("main", fresh) | variant)
        aws.sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        return aws.settled(fresh)

    yield make
    with suppress(botocore.exceptions.ClientError):
        aws.sm.delete_endpoint(EndpointName=fresh)


def invoke(aws, name, body=b"{}", **more):
    return aws.runtime.invoke_endpoint(EndpointName=name, Body=body, **more)


def environment_of(aws, name):
    (observed,) = json.loads(invoke(aws, name)["Body"].read())["predictions"]
    return observed


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_command_has_the_containers_contract(aws, deploy, fresh, monkeypatch):
    shown = deploy("serves")
    assert shown["EndpointStatus"] == "InService"
    (image,) = shown["ProductionVariants"][0]["DeployedImages"]
    assert image["ResolvedImage"] == "offline/command:in-place-of-your-image"
    answer = invoke(
        aws, fresh, b"[1]", ContentType="text/csv", Accept="a/b", CustomAttributes="trace=6"
    )
    assert answer["ContentType"] == "application/json"
    assert answer["CustomAttributes"] == "trace=7"
    (observed,) = json.loads(answer["Body"].read())["predictions"]
    assert (observed["argv"], observed["path"], observed["body"]) == (
        ["serve"],
        "/invocations",
        "[1]",
    )
    assert "1/saved_model.pb" in observed["files"]
    sent = {name.lower(): value for name, value in observed["headers"].items()}
    assert (sent["content-type"], sent["accept"]) == ("text/csv", "a/b")
    assert sent["x-amzn-sagemaker-custom-attributes"] == "trace=6"


def test_the_command_gets_a_containers_environment(aws, deploy, fresh, monkeypatch):
    monkeypatch.setenv("CANARY", "of the shell")
    monkeypatch.setenv("AWS_PROFILE", "of the shell")
    deploy("serves")
    environment = environment_of(aws, fresh)["environment"]
    assert environment["STAGE"] == "test"
    assert environment["AWS_ENDPOINT_URL"] == aws.running.url
    assert environment["AWS_REGION"] == "us-east-1"
    assert environment["HOME"] != os.environ["HOME"]
    assert not {"CANARY", "AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(environment)


def test_variables_in_the_command_are_expanded(aws, deploy, fresh):
    deploy("expands")
    observed = environment_of(aws, fresh)
    port = observed["environment"]["SAGEMAKER_BIND_TO_PORT"]
    assert observed["argv"] == [port, "$(NONE)", "serve"]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("missing", r"`no-such-program serve` cannot be started: FileNotFoundError: .*"),
        ("homeless", r"there is no folder \S+/nowhere to run `\S+ -c pass serve` in"),
        (
            "exits",
            r"`\S+ server\.py exits serve` ended with exit code 3; it last wrote: no weights found",
        ),
    ],
)
def test_a_command_that_does_not_run_fails_the_endpoint(deploy, mode, reason):
    shown = deploy(mode)
    assert shown["EndpointStatus"] == "Failed"
    assert re.fullmatch(
        "The primary container for production variant main did not pass the ping health check"
        rf"\. {reason}",
        shown["FailureReason"],
    ), shown["FailureReason"]


def test_the_containers_errors_are_the_models(aws, deploy, fresh):
    deploy("serves")
    with pytest.raises(aws.runtime.exceptions.ModelError) as caught:
        invoke(aws, fresh, b"refuse")
    answer = caught.value.response
    assert (answer["OriginalStatusCode"], answer["OriginalMessage"]) == (422, "no such feature")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_a_container_that_dies_is_an_error_and_starts_again(aws, deploy, fresh, poll_until):
    deploy("serves")
    first = environment_of(aws, fresh)["pid"]
    with pytest.raises(aws.runtime.exceptions.ModelError) as caught:
        invoke(aws, fresh, b"die")
    answer = caught.value.response
    assert answer["OriginalStatusCode"] == 0
    assert "could not get a response from the" in answer["OriginalMessage"]

    def ask() -> dict:
        try:
            return environment_of(aws, fresh)
        except aws.runtime.exceptions.ModelError:
            return {}

    assert poll_until(ask, lambda environment: "pid" in environment)["pid"] != first


def test_the_process_and_its_children_end_with_the_endpoint(aws, deploy, fresh, poll_until):
    deploy("child")
    pid = environment_of(aws, fresh)["pid"]
    group = os.getpgid(pid)
    aws.sm.delete_endpoint(EndpointName=fresh)

    def group_is_there() -> dict:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return {"gone": True}
        return {}

    poll_until(group_is_there, lambda state: "gone" in state)
    assert not is_alive(pid)


def test_many_models_in_a_command_are_refused(aws, fresh):
    container = {
        "Image": f"{ECR}/serves:1",
        "Mode": "MultiModel",
        "ModelDataUrl": "s3://models/many/",
    }
    with pytest.raises(botocore.exceptions.ClientError, match="not available offline"):
        aws.sm.create_model(ModelName=fresh, ExecutionRoleArn=ROLE, PrimaryContainer=container)
