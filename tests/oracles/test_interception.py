"""SDKs in environments of their own, under the clouds' real hosts: not one line names an endpoint.

`make oracle-sdks` makes the environments below the folder that SDKS names; anywhere else these
tests are skipped. Where the machine allows it, everything runs in a network namespace that has no
route to any other machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

import pytest

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))
SAGEMAKER_2 = """
import sys

import sagemaker
from sagemaker.tensorflow import TensorFlowModel

data = sagemaker.Session().upload_data(sys.argv[1], key_prefix="model")
model = TensorFlowModel(
    model_data=data, role=sagemaker.get_execution_role(), framework_version="2.19"
)
predictor = model.deploy(initial_instance_count=1, instance_type="ml.m5.large")
print(data, predictor.predict({"instances": [1.0, 5.0]}))
predictor.delete_endpoint()
"""
SAGEMAKER_3 = """
import json
import os
import sys

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.serve.model_builder import ModelBuilder

session = Session()
image = image_uris.retrieve(
    "tensorflow",
    session.boto_region_name,
    version="2.19",
    image_scope="inference",
    instance_type="ml.m5.xlarge",
)
builder = ModelBuilder(
    image_uri=image,
    s3_model_data_url=session.upload_data(sys.argv[1], key_prefix="model"),
    role_arn=get_execution_role(),
    instance_type="ml.m5.xlarge",
)
builder.build(model_name="half")
os.environ["SAGEMAKER_VALIDATE_ROLE"] = "true"
print(ModelBuilder(image_uri=image, s3_model_data_url="s3://b/m.tar.gz").role_arn)
endpoint = builder.deploy(endpoint_name="half")
answer = endpoint.invoke(body='{"instances": [1.0, 5.0]}', content_type="application/json")
print(session.account_id(), json.load(answer.body))
endpoint.delete()
"""
VERTEX = """
import sys
from pathlib import Path

from google.cloud import aiplatform, storage

bucket = storage.Client().create_bucket("quick", location="us-central1")
folder = Path(sys.argv[1])
for file in filter(Path.is_file, folder.rglob("*")):
    bucket.blob(f"half/{file.relative_to(folder)}").upload_from_filename(file)
aiplatform.init(location="us-central1", staging_bucket="gs://quick")
model = aiplatform.Model.upload(
    display_name="half",
    artifact_uri="gs://quick/half",
    serving_container_image_uri="us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
)
endpoint = model.deploy(machine_type="n1-standard-2")
print(endpoint.predict(instances=[1.0, 5.0]).predictions)
endpoint.delete(force=True)
model.delete()
"""
FILES = """
import gcsfs
import s3fs

for system in (s3fs.S3FileSystem(), gcsfs.GCSFileSystem()):
    system.mkdir("files")
    system.pipe("files/a/b.txt", b"hi")
    print(system.cat("files/a/b.txt"), system.ls("files/a"))
"""
TENSORFLOW = """
import tensorflow as tf
from google.cloud import storage

storage.Client().create_bucket("files").blob("a/b.txt").upload_from_string("hi")
print(tf.io.gfile.glob("gs://files/a/*"), tf.io.gfile.GFile("gs://files/a/b.txt").read())
module = tf.Module()
module.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None])])
tf.saved_model.save(module, "gs://files/model/1", signatures=module.double)
loaded = tf.saved_model.load("gs://files/model/1")
print(loaded.signatures["serving_default"](tf.constant([3.0]))["y"].numpy())
tf.io.gfile.rename("gs://files/a/b.txt", "gs://files/a/c.txt")
tf.io.gfile.rmtree("gs://files/model")
print(tf.io.gfile.listdir("gs://files/a"), tf.io.gfile.exists("gs://files/model"))
"""


WALL = (
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    'ip link set lo up && exec "$@"',
)


@cache
def wall() -> tuple[str, ...]:
    """Return the command that runs another without a route, () if the machine does not allow it."""
    try:
        done = subprocess.run([*WALL, "sh", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return ()
    return () if done.returncode else (*WALL, "sh")


def intercepted(tmp_path, *command: str) -> str:
    """Run a command, and return what it printed."""
    done = subprocess.run(
        [*wall(), CLOUDSERVE, "emulate", "--intercept", "--", *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused" not in done.stderr
    return done.stdout


def program(environment: str, name: str = "python") -> str:
    if "SDKS" not in os.environ:
        pytest.skip("SDKS does not name the folder of the SDKs' environments: make oracle-sdks")
    return str(Path(os.environ["SDKS"]).resolve() / environment / "bin" / name)


@pytest.fixture
def archive(shared_models, tmp_path) -> Path:
    """Give a model as SageMaker takes it."""
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(shared_models / "tfs_half_plus_two_cpu", "1")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_no_other_machine_can_be_reached():
    if not wall():
        pytest.skip("the machine allows no network namespace")
    script = "import socket; socket.create_connection(('192.0.2.1', 443), 5)"
    done = subprocess.run(
        [*wall(), sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "Network is unreachable" in done.stderr


@pytest.mark.timeout(600)
def test_the_sagemaker_sdk_version_3_deploys_with_its_defaults(archive, tmp_path):
    out = intercepted(tmp_path, program("sagemaker-3"), "-c", SAGEMAKER_3, str(archive))
    assert "000000000000 {'predictions': [2.5, 4.5]}" in out
    assert "role/service-role/AmazonSageMaker-ExecutionRole-offline\n" in out


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_vertex_ais_sdk_deploys_over_grpc(shared_models, tmp_path):
    folder = shared_models / "tfs_half_plus_two_cpu/123"
    out = intercepted(tmp_path, sys.executable, "-c", VERTEX, str(folder))
    assert "[2.5, 4.5]" in out


@pytest.mark.timeout(600)
def test_the_sagemaker_sdk_deploys_with_its_defaults(archive, tmp_path):
    out = intercepted(tmp_path, program("sagemaker-2"), "-c", SAGEMAKER_2, str(archive))
    bucket = "s3://sagemaker-us-east-1-000000000000/model/model.tar.gz"
    assert f"{bucket} {{'predictions': [2.5, 4.5]}}" in out


@pytest.mark.timeout(600)
def test_file_systems(tmp_path):
    out = intercepted(tmp_path, program("files"), "-c", FILES)
    assert out.splitlines() == ["b'hi' ['files/a/b.txt']"] * 2


@pytest.mark.timeout(600)
def test_the_aws_cli(tmp_path):
    script = f"{program('files', 'aws')} s3 mb s3://cli && {program('files', 'aws')} s3 ls"
    assert intercepted(tmp_path, "sh", "-c", script).endswith(" cli\n")


@pytest.mark.slow
def test_tensorflows_own_file_system(tmp_path):
    out = intercepted(tmp_path, sys.executable, "-c", TENSORFLOW)
    assert out.splitlines() == ["['gs://files/a/b.txt'] hi", "[6.]", "['c.txt'] False"]
