"""The aws command line against the offline SageMaker, S3 and STS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AWS = Path(sys.executable).with_name("aws")
ROLE = "arn:aws:iam::000000000000:role/serving"
FAILED = 255
pytestmark = pytest.mark.skipif(
    not AWS.exists(), reason="the aws CLI is not beside this Python: `make oracle-aws`"
)


@pytest.fixture(scope="module")
def run(environment, tmp_path_factory):
    """Give a function that runs the aws CLI; returns its exit code, output and errors."""
    home = tmp_path_factory.mktemp("home")
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_PAGER": ""}

    def call(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [AWS, *arguments],
            env=own | environment,
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture(scope="module")
def aws(run):
    """Give a function that runs the aws CLI, which must succeed, and reads its JSON."""

    def call(*arguments: str):
        code, out, err = run(*arguments)
        assert code == 0, err
        return json.loads(out) if out.startswith("{") else out

    return call


def shorthand(value) -> str:
    return json.dumps(value)


def test_the_caller_identity_is_that_of_the_offline_account(aws):
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"


def test_a_key_that_is_not_ours_is_refused(run, environment, monkeypatch):
    monkeypatch.setitem(environment, "AWS_SECRET_ACCESS_KEY", "wrong")
    code, _, err = run("sts", "get-caller-identity")
    assert code == FAILED
    assert "(SignatureDoesNotMatch)" in err


def test_from_a_folder_to_an_answer_and_away_again(aws, run, models, fresh, tmp_path):
    aws("s3", "mb", f"s3://{fresh}")
    aws("s3", "cp", "--recursive", str(models["two"]), f"s3://{fresh}/m/half", "--only-show-errors")
    source = {"S3Uri": f"s3://{fresh}/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {
        "Image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu",
        "ModelDataSource": {"S3DataSource": source},
    }
    created = aws(
        "sagemaker", "create-model", "--model-name", fresh, "--execution-role-arn", ROLE,
        "--primary-container", shorthand(container),
    )  # fmt: skip
    assert created["ModelArn"] == f"arn:aws:sagemaker:us-east-1:000000000000:model/{fresh}"
    variant = f"VariantName=main,ModelName={fresh},InstanceType=ml.m5.large,InitialInstanceCount=1"
    aws(
        "sagemaker", "create-endpoint-config", "--endpoint-config-name", fresh,
        "--production-variants", variant,
    )  # fmt: skip
    aws("sagemaker", "create-endpoint", "--endpoint-name", fresh, "--endpoint-config-name", fresh)
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", fresh)
    shown = aws("sagemaker", "describe-endpoint", "--endpoint-name", fresh)
    assert shown["EndpointStatus"] == "InService"
    assert shown["ProductionVariants"][0]["CurrentWeight"] == 1.0

    body, answer = tmp_path / "body.json", tmp_path / "answer.json"
    body.write_text('{"instances": [1.0, 5.0]}')
    invoked = aws(
        "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", fresh,
        "--content-type", "application/json", "--body", f"fileb://{body}", str(answer),
    )  # fmt: skip
    assert invoked == {"ContentType": "application/json", "InvokedProductionVariant": "main"}
    assert json.loads(answer.read_text()) == {"predictions": [2.5, 4.5]}

    aws("sagemaker", "delete-endpoint", "--endpoint-name", fresh)
    aws("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", fresh)
    code, _, err = run("sagemaker", "describe-endpoint", "--endpoint-name", fresh)
    assert code == FAILED
    assert "(ValidationException)" in err
    assert f'Could not find endpoint "{shown["EndpointArn"]}"' in err


def test_the_aws_cli_prints_the_services_refusals(run):
    code, _, err = run(
        "sagemaker", "create-endpoint", "--endpoint-name", "a_b", "--endpoint-config-name", "c"
    )
    assert code == FAILED
    assert "Value 'a_b' at 'endpointName' failed to satisfy constraint" in err
    code, _, err = run("sagemaker", "create-training-job", "--generate-cli-skeleton")
    assert code == 0, err
    code, _, err = run("sagemaker", "describe-training-job", "--training-job-name", "t")
    assert code == FAILED
    assert "(UnsupportedOperationException)" in err
