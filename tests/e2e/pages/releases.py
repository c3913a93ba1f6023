"""The pages on releases: a project with models, its targets on the offline clouds."""

from __future__ import annotations

import json

from .models import RUN
from .page import Page, Room

TWO_LIVE = (
    "cloudserve deploy {0} -t {1} --version 1 && cloudserve deploy {0} -t {1} --version 2"
    " && cloudserve promote {0} -t {1}"
)
GATES = """\
import json, sys, yaml
project = yaml.safe_load(open("cloudserve.yaml"))
for name in ("aws", "gcp"):
    project["targets"][name]["gates"] = json.loads(sys.argv[1])
yaml.safe_dump(project, open("cloudserve.yaml", "w"), sort_keys=False)
"""
UPLOAD = """\
import sys
from pathlib import Path
url, folder = sys.argv[1], Path(sys.argv[2])
scheme, _, rest = url.partition("://")
bucket, _, prefix = rest.partition("/")
if scheme == "gs":
    from google.cloud import storage
    target = storage.Client(project="pages").bucket(bucket)
else:
    import boto3
    target = boto3.resource("s3").Bucket(bucket)
for file in folder.rglob("*"):
    if file.is_file():
        key = f"{prefix}/{file.relative_to(folder)}"
        if scheme == "gs":
            target.blob(key).upload_from_filename(str(file))
        else:
            target.upload_file(str(file), key)
"""
DRIFT = """\
import boto3
client = boto3.client("sagemaker")
endpoint = client.describe_endpoint(EndpointName="half")
config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
variants = config["ProductionVariants"]
for variant in variants:
    variant |= {"InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 2}
    variant["InitialVariantWeight"] = 1
client.create_endpoint_config(EndpointConfigName="drifted", ProductionVariants=variants)
client.update_endpoint(EndpointName="half", EndpointConfigName="drifted")
client.get_waiter("endpoint_in_service").wait(EndpointName="half")
tag = {"Key": "team", "Value": "speech"}
client.add_tags(ResourceArn=endpoint["EndpointArn"], Tags=[tag])
"""
DIGITS = """\
import tensorflow as tf

class Digits(tf.Module):
    def __init__(self, number):
        self.weights = tf.Variable(tf.random.stateless_normal([784, 10], [number, 1]))
    def __call__(self, pixels):
        probabilities = tf.nn.softmax(pixels @ self.weights)
        return {"probabilities": probabilities, "digit": tf.argmax(probabilities, 1)}

for number, rows in ((2, None), (3, 1)):
    model = Digits(number)
    call = tf.function(model.__call__, [tf.TensorSpec([rows, 784], tf.float32, "pixels")])
    tf.saved_model.save(model, f"models/mnist/{number}", call)
"""
REGISTRY = """\
import os
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow, tensorflow as tf
mlflow.set_tracking_uri("sqlite:///mlflow.db")

class Half(tf.Module):
    def __init__(self, add):
        self.add = tf.Variable(add, dtype=tf.float32)
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x / 2 + self.add}

for add in (1, 2, 3):
    model, name = Half(add), "fraud"
    mlflow.tensorflow.log_model(model, name=name, registered_model_name=name, pip_requirements=[])
for alias in ("candidate", "champion"):
    mlflow.MlflowClient().set_registered_model_alias("fraud", alias, 2)
"""
PLACEHOLDERS = "ARN, ID and REGION stand for those of the reader's account"


def _released(room: Room) -> None:
    room.copy("mnist", 1, 2)
    room.copy("half", 1, 2)
    room.write("request.json", '{"instances": [1.0, 2.0]}')
    room.write("instances.jsonl", '{"instances": [1.0]}\n{"instances": [2.0]}\n')
    room.write("digits.jsonl", "1.0\n2.0\n")
    room.write("upload.py", UPLOAD)


def _drifted(room: Room) -> None:
    _released(room)
    room.write("drift.py", DRIFT)


def _gated(room: Room) -> None:
    room.copy("half", 1, 2, 3)
    room.write("make.py", DIGITS)
    rows = [json.dumps({"instances": [[0.5] * 784]}) for _ in range(12)]
    room.write("requests.jsonl", "\n".join(rows))
    room.write("gates.py", GATES)


def _canaries(room: Room) -> None:
    room.copy("fraud", 1, 2, 3)
    requests = [json.dumps({"instances": [float(number)]}) for number in range(5)]
    room.write("requests.jsonl", "\n".join(requests))
    (room.folder / "requests").mkdir()
    room.write("requests/fraud.jsonl", "\n".join(requests))


def _old(room: Room) -> None:
    room.copy("half", 1, 2, 3, 4)


def _staged(room: Room) -> None:
    room.copy("mnist", 1)


def _registered(room: Room) -> None:
    room.write("make.py", REGISTRY)
    room.write("rows.json", '[{"x": 1.0}, {"x": 5.0}]')
    project = (room.folder / "cloudserve.yaml").read_text()
    room.write("cloudserve.yaml", project.replace("models/fraud", "models:/fraud@candidate"))


FOUR = (
    "(for number in 1 2 3 4; do cloudserve deploy half -t aws --version $number || exit;"
    " cloudserve promote half -t aws || exit; done)"
)

RELEASES = {
    "docs/how-to/release-to-sagemaker.md": Page(
        _released,
        before={
            "": "mv models/mnist/2 later",
            "cloudserve deploy mnist --target aws               # a later": (
                "mv later models/mnist/2"
            ),
            "cloudserve batch": (
                r"sed -i 's/^  aws:$/  aws:\n    archive: true/' cloudserve.yaml;"
                " cloudserve deploy mnist -t aws --version 1"
            ),
        },
        without={
            "aws sagemaker update-model-package": PLACEHOLDERS,
            "cloudserve logs mnist -t aws -f": "it follows until Ctrl-C: tests/e2e/test_logs.py",
            "cloudserve logs mnist -t aws --job JOB": "JOB stands for a job's name",
        },
    ),
    "docs/how-to/release-to-vertex.md": Page(
        _released,
        before={
            "": "mv models/mnist/2 later",
            "cloudserve deploy mnist --target vertex             # a later": (
                "mv later models/mnist/2"
            ),
            "AIP_HTTP_PORT": "python upload.py gs://my-models/mnist models/mnist",
            "cloudserve logs mnist -t gcp --since": "cloudserve deploy mnist -t gcp",
        },
        instead={"[[0.0]]": "[0.0]"},
        without={
            "docker": "Docker is not needed for the tests",
            "cloudserve image build": "it pushes to a registry: tests/oracles/test_image.py",
            "cloudserve logs mnist -t gcp -f": "it follows until Ctrl-C: tests/e2e/test_logs.py",
        },
    ),
    "docs/how-to/staging-and-production.md": Page(
        _staged,
        without={"aws sagemaker": PLACEHOLDERS, "gcloud": PLACEHOLDERS},
    ),
    "docs/how-to/promote-by-canary.md": Page(
        _canaries,
        before={
            "": TWO_LIVE.removesuffix(" && cloudserve promote {0} -t {1}").format("fraud", "aws"),
            "cloudserve plan": "cloudserve deploy fraud -t aws --version 3",
        },
        instead={"--hold 300": "--hold 0 --rate 10000"},
        without={
            "cloudserve promote fraud -t aws --canary --source metrics": (
                "metrics take minutes: tests/cloudserve/release/canary"
            )
        },
    ),
    "docs/how-to/gate-a-release.md": Page(
        _gated,
        before={
            "": (
                f"({RUN} && for number in 2 3; do cloudserve deploy mnist -t aws --version $number"
                " --override contract --reason test || exit; done;"
                " for target in aws gcp; do for number in 1 2; do"
                " cloudserve deploy half -t $target --version $number || exit; done; done)"
            ),
            "cloudserve promote half -t aws": (
                """python gates.py '{"approval": true}'""",
                "",
                """cloudserve rollback half -t aws && python gates.py '{"parity": true}'""",
                """cloudserve rollback half -t aws; python gates.py '{"latency": {"p50": 500}}'""",
            ),
            "cloudserve promote mnist --target aws --override": "python gates.py '{}'",
            # No version is proven to be as fast as one that is as fast.
            "cloudserve promote half -t gcp": (
                """python gates.py '{"latency": {"times_live": {"p50": 1.0}}}'""",
            ),
        },
        instead={"cloudserve approve": "CLOUDSERVE_ACTOR=bob cloudserve approve"},
        exits={
            "cloudserve promote mnist": (6, 0),
            "cloudserve replay": (6,),
            "cloudserve promote half -t aws": (6, 0, 0, 0),
            "cloudserve promote half -t gcp": (6,),
        },
        with_fields=False,
        providers={"gcp": "ai-platform"},
    ),
    "docs/how-to/find-drift.md": Page(
        _drifted,
        before={
            "": TWO_LIVE.format("half", "aws"),
            "cloudserve diff": (
                r"python drift.py; sed -i 's/^  aws:$/  aws:\n    tags: {team: vision}/'"
                " cloudserve.yaml"
            ),
        },
        exits={"cloudserve diff": (1,)},
    ),
    "docs/how-to/move-models.md": Page(
        _released,
        before={
            "": TWO_LIVE.format("mnist", "aws"),
            "cloudserve model-server": "python upload.py s3://my-models/mnist models/mnist",
        },
        instead={"s3://models/": "s3://my-models/"},
    ),
    "docs/how-to/release-from-mlflow.md": Page(
        _registered,
        before={
            "": RUN,
            "mlflow deployments create": "cloudserve undeploy fraud -t aws --all",
        },
        instead={"https://mlflow.example.com": "sqlite:///$PWD/mlflow.db"},
        without={"pip install": "make oracle-mlflow installs MLflow"},
        needs=("mlflow",),
        environment=".venv-mlflow",
    ),
    "docs/how-to/release-from-ci.md": Page(
        _released, unlike={"cloudserve ci init": "the path of the reader's folder"}
    ),
    "docs/how-to/review-a-release.md": Page(
        _released,
        before={
            "": TWO_LIVE.removesuffix(" && cloudserve promote {0} -t {1}").format("mnist", "aws"),
            "cloudserve plan deploy mnist --target aws --offline": (
                "cp -r models/mnist/2 models/mnist/3; echo 3 > models/mnist/3/assets.extra/note.txt"
            ),
        },
    ),
    "docs/how-to/remove-old-versions.md": Page(_old, before={"": FOUR}),
    "docs/how-to/take-a-model-down.md": Page(
        _released,
        before={
            "": TWO_LIVE.format("mnist", "aws"),
            "cloudserve plan rollback": "cloudserve undeploy mnist -t aws --version 1",
        },
        is_named=False,
    ),
}
