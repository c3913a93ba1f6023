"""The environment of a model's code: the offline AWS, and nothing of the shell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import boto3
import pytest

from tests.local_server.clouds.aws.conftest import IMAGE, ROLE, Aws, prefix_source

SCRIPT = """
import json, os

import boto3

def handler(data, context):
    data = data.read().decode()
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="written", Body=data)
    state = {k: v for k, v in os.environ.items() if k.startswith(("AWS_", "GOOGLE_", "SAGEMAKER_"))}
    state["region"] = boto3.Session().region_name
    state["words"] = open("/opt/ml/model/code/words.txt").read()
    return json.dumps(state), "application/json"
"""


@pytest.fixture
def shell(monkeypatch):
    """Set the variables of a shell with real accounts."""
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_ENDPOINT_URL_S3", "GOOGLE_APPLICATION_CREDENTIALS"),
    ):
        monkeypatch.setenv(name, "CANARY")


def put_code(aws: Aws, bucket: str, models: Path) -> None:
    aws.running.upload(bucket, "m/double/", models / "double")
    aws.s3.put_object(Bucket=bucket, Key="m/code/inference.py", Body=SCRIPT.encode())
    aws.s3.put_object(Bucket=bucket, Key="m/code/words.txt", Body=b"found")


def environment_of(
    aws: Aws, name: str, models: Path, image: str = IMAGE, **environment: str
) -> dict[str, str]:
    put_code(aws, name, models)
    variables = {"BUCKET": name, **environment}
    aws.add_model(name, f"s3://{name}/m/", image, Environment=variables)
    aws.add_config(name, aws.variant("main", name))
    aws.add_endpoint(name)
    observed = json.loads(aws.invoke(name, b"from a container"))
    assert aws.s3.get_object(Bucket=name, Key="written")["Body"].read() == b"from a container"
    return observed


def expected(url: str, region: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "cloudserve-container",
        "AWS_SECRET_ACCESS_KEY": "cloudserve-container",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "region": region,
        "words": "found",
    }


def test_boto3_reaches_the_offline_s3_and_nothing_else(aws, fresh, models, shell):
    observed = environment_of(aws, fresh, models, AWS_ENDPOINT_URL_S3="https://s3.amazonaws.com")
    assert observed == expected(aws.running.url, "us-east-1")


def test_the_region_is_the_endpoints(aws, fresh, models, poll_until):
    elsewhere = Aws(aws.running, poll_until)
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "k", "region_name": "eu-west-1"}
    elsewhere.sm = boto3.client("sagemaker", endpoint_url=aws.running.url, **keys)
    elsewhere.runtime = boto3.client("sagemaker-runtime", endpoint_url=aws.running.url, **keys)
    elsewhere.s3 = boto3.client("s3", endpoint_url=aws.running.url, **keys)
    place = {"LocationConstraint": "eu-west-1"}
    elsewhere.s3.create_bucket(Bucket=fresh, CreateBucketConfiguration=place)
    observed = environment_of(
        elsewhere, fresh, models, image=IMAGE.replace("us-east-1", "eu-west-1")
    )
    assert observed == expected(aws.running.url, "eu-west-1")


def test_a_transform_job_runs_it_in_the_same_environment(
    aws, fresh, models, poll_until, shell, tmp_path
):
    shutil.copytree(models / "double", tmp_path / "tree" / "double")
    code = tmp_path / "tree" / "code"
    code.mkdir()
    (code / "inference.py").write_text(SCRIPT)
    (code / "words.txt").write_text("found")
    aws.running.make_bucket(fresh)
    aws.s3.put_object(Bucket=fresh, Key="in/a", Body=b"a record")
    aws.add_model(fresh, aws.add_archive(fresh, "m.tar.gz", tmp_path / "tree"))
    place = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{fresh}/in/"}}
    aws.sm.create_transform_job(
        TransformJobName=fresh,
        ModelName=fresh,
        # The service sets SAGEMAKER_BATCH itself, whatever a job says.
        Environment={"BUCKET": fresh, "SAGEMAKER_BATCH": "mine", "region": "a name like any"},
        TransformInput={"DataSource": place},
        TransformOutput={"S3OutputPath": f"s3://{fresh}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    job = poll_until(
        lambda: aws.sm.describe_transform_job(TransformJobName=fresh),
        lambda answer: answer["TransformJobStatus"] != "InProgress",
    )
    assert job["TransformJobStatus"] == "Completed", job
    observed = json.loads(aws.s3.get_object(Bucket=fresh, Key="out/a.out")["Body"].read())
    assert observed == expected(aws.running.url, "us-east-1") | {"SAGEMAKER_BATCH": "true"}
    assert aws.s3.get_object(Bucket=fresh, Key="written")["Body"].read() == b"a record"


def test_it_runs_from_a_data_folder_that_is_named_by_a_relative_path(
    start_emulator, models, monkeypatch, tmp_path, poll_until, fresh
):
    monkeypatch.chdir(tmp_path)
    aws = Aws(start_emulator(Path("rehearsal")), poll_until)
    assert environment_of(aws, fresh, models)["words"] == "found"
    assert (tmp_path / "rehearsal" / "credentials" / "aws-config").is_file()


def test_requirements_of_a_model_without_a_network_fail_its_endpoint(aws, fresh, models):
    put_code(aws, fresh, models)
    aws.s3.put_object(Bucket=fresh, Key="m/code/requirements.txt", Body=b"# none\nscipy>=1\n")
    aws.sm.create_model(
        ModelName=fresh,
        ExecutionRoleArn=ROLE,
        PrimaryContainer=prefix_source(f"s3://{fresh}/m/"),
        EnableNetworkIsolation=True,
    )
    aws.add_config(fresh, aws.variant("main", fresh))
    aws.sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
    settled = aws.settled(fresh)
    reason = settled["FailureReason"]
    assert settled["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in reason
    assert "scipy>=1 of code/requirements.txt: the container has no network" in reason
