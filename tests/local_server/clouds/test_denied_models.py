"""Models whose graph opens files: each offline service says why it does not load them."""

from __future__ import annotations

import json
import warnings

import pytest

from tests.local_server.clouds.conftest import ROLE

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu"
REASON = (
    "of the model's graph may read or write files of this machine: this server does not load it, "
    "by a rule of its own (--deny-ops) and not of the platform; --deny-ops none allows it"
)


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """Give the SavedModel of a function that reads a file which its request names."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="path")])
    def read(path):
        return {"content": tf.io.read_file(path)}

    module = tf.Module()
    module.read = read
    folder = tmp_path_factory.mktemp("reading")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        tf.saved_model.save(module, str(folder / "reader" / "1"), signatures=read)
    return folder


def add_endpoint(running, name, poll_until):
    sm = running.aws("sagemaker")
    source = {"S3Uri": f"s3://{name}/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}}
    sm.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "main", "ModelName": name, "InitialInstanceCount": 1}
    sm.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}]
    )
    sm.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return poll_until(
        lambda: sm.describe_endpoint(EndpointName=name),
        lambda answer: answer["EndpointStatus"] != "Creating",
    )


def add_version(running, name, poll_until):
    ml = running.ml()
    model = ml.projects().models().create(parent="projects/p", body={"name": name}).execute()
    version = {
        "name": "v1",
        "deploymentUri": f"gs://{name}/reader/1/",
        "runtimeVersion": "2.11",
        "pythonVersion": "3.7",
    }
    versions = ml.projects().models().versions()
    operation = versions.create(parent=model["name"], body=version).execute()
    get = ml.projects().operations().get(name=operation["name"])
    done = poll_until(get.execute, lambda answer: answer.get("done", False))
    ml.close()
    return done


def test_sagemakers_endpoint_fails_with_the_reason(clouds, reading, fresh, poll_until):
    clouds.upload(fresh, "", reading)
    endpoint = add_endpoint(clouds, fresh, poll_until)
    assert endpoint["EndpointStatus"] == "Failed"
    assert "the op ReadFile (node " in endpoint["FailureReason"]
    assert endpoint["FailureReason"].endswith(REASON)


def test_a_version_of_ai_platform_fails_with_the_reason(clouds, reading, fresh, poll_until):
    clouds.upload(fresh, "", reading)
    error = add_version(clouds, fresh, poll_until)["error"]
    assert "the op ReadFile (node " in error["message"]
    assert REASON in error["message"]


def test_with_none_denied_both_serve_it(start_emulator, reading, fresh, poll_until, tmp_path):
    running = start_emulator(None, deny_ops="none")
    running.upload(fresh, "", reading)
    (tmp_path / "file").write_text("read")
    assert add_endpoint(running, fresh, poll_until)["EndpointStatus"] == "InService"
    assert "response" in add_version(running, fresh, poll_until)
    answer = running.aws("sagemaker-runtime").invoke_endpoint(
        EndpointName=fresh,
        ContentType="application/json",
        Body=json.dumps({"inputs": str(tmp_path / "file")}),
    )
    assert json.loads(answer["Body"].read()) == {"outputs": "read"}
