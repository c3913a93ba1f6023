"""MLflow's own command line, with a registry in SQLite, deploys to the offline SageMaker.

`make oracle-mlflow` makes MLflow an environment of its own, with this project in it, and names the
folder of its commands in MLFLOW; anywhere else these tests are skipped.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cloudserve.local.offline import offline_clouds

PROJECT = """\
models:
  half: {path: nowhere}
  follower: {path: "models:/half@candidate"}
  run: {path: "runs:/{run}/export"}
targets:
  aws:
    provider: sagemaker
    bucket: s3://mlflow-models
    role_arn: arn:aws:iam::000000000000:role/rehearsal
    mlflow_alias: live
"""
# Versions 1 and 2 answer x/2 + 2 and x/2 + 3; version 3 is a Keras file.
LOG = """
import keras, mlflow, tensorflow as tf

class Half(tf.Module):
    def __init__(self, add):
        self.add = tf.Variable(add, dtype=tf.float32)
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x / 2 + self.add}

for add in (2, 3):
    mlflow.tensorflow.log_model(Half(add), name="model", registered_model_name="half")
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
mlflow.tensorflow.log_model(model, name="model", registered_model_name="half")
mlflow.MlflowClient().set_registered_model_alias("half", "champion", 2)
tf.saved_model.save(Half(4), "export")
with mlflow.start_run() as run:
    mlflow.log_artifacts("export", "export")
print(run.info.run_id)
"""


# MLflow's own deployment to SageMaker: role, bucket and image are what it finds by itself.
OWN = """
import boto3, mlflow, pandas
from mlflow.deployments import get_deploy_client

class Half(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["x"] / 2 + 2).tolist()

mlflow.pyfunc.save_model("model", python_model=Half(), pip_requirements=["mlflow"])
boto3.client("ecr").create_repository(repositoryName="mlflow-pyfunc")
client = get_deploy_client("sagemaker:/us-east-1")
client.create_deployment("half", "model")
print(client.predict("half", pandas.DataFrame({"x": [1.0, 5.0]})))
client.delete_deployment("half")
print(client.list_deployments())
"""
# What MLflow's container does: the model's server, on the port of the rehearsal.
SERVE = """
exec mlflow models serve -m "${SM_MODEL_DIR:-/opt/ml/model}" --env-manager local \\
    --host 127.0.0.1 --port "$SAGEMAKER_BIND_TO_PORT"
"""
REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


class Shell:
    """MLflow's commands in a folder, with the environment of offline clouds."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.commands = Path(os.environ["MLFLOW"]).resolve()
        self.environment = environment

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.commands / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def deployments(self, verb: str, *options: str) -> str:
        done = self.run("mlflow", "deployments", verb, "-t", "cloudserve:/aws", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def cloudserve(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("cloudserve", *command, **variables)

    def aliases(self) -> dict[str, int]:
        """Return the aliases in MLflow's database: a process of MLflow takes long to start."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as database:
            return dict(database.execute("SELECT alias, version FROM registered_model_aliases"))

    def alias(self, name: str, version: int) -> None:
        arguments = f"'half', '{name}', {version}"
        code = f"import mlflow; mlflow.MlflowClient().set_registered_model_alias({arguments})"
        assert self.run("python", "-c", code).returncode == 0

    def refusal(self, verb: str, *options: str) -> str:
        done = self.run("mlflow", "deployments", verb, "-t", "cloudserve:/aws", *options)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        assert "Error: " in done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    if "MLFLOW" not in os.environ:
        pytest.skip("MLFLOW does not name the folder of MLflow's commands: make oracle-mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    (folder / "cloudserve.yaml").write_text(PROJECT)
    (folder / "x.json").write_text(json.dumps([{"x": 1.0}, {"x": 5.0}]))
    with offline_clouds() as clouds:
        store = f"sqlite:///{folder}/mlflow.db"
        environment = clouds.apply(os.environ) | {
            "MLFLOW_TRACKING_URI": store,
            "MLFLOW_REGISTRY_URI": store,
        }
        shell = Shell(folder, environment)
        done = shell.run("python", "-c", LOG)
        assert done.returncode == 0, done.stderr
        project = PROJECT.replace("{run}", done.stdout.split()[-1])
        (folder / "cloudserve.yaml").write_text(project)
        yield shell


def answers(shell):
    out = shell.deployments("predict", "--name", "half", "-I", "x.json")
    return json.loads(out[out.index("{") :])["predictions"]


@pytest.mark.timeout(1800)
def test_a_registered_model_is_created_updated_and_deleted(shell):
    assert "half is created" in shell.deployments(
        "create", "--name", "half", "-m", "models:/half/1"
    )
    assert answers(shell) == [2.5, 4.5]
    assert "there is a deployment half" in shell.refusal(
        "create", "--name", "half", "-m", "models:/half/1"
    )
    shell.deployments("update", "--name", "half", "-m", "models:/half@champion", "-C", "alias=live")
    assert answers(shell) == [3.5, 5.5]
    assert shell.aliases()["live"] == 2
    assert "half" in shell.deployments("list")
    described = shell.deployments("get", "--name", "half")
    assert "live: v2-" in described
    for _ in range(2):
        shell.deployments("delete", "--name", "half")
    assert "there is no deployment half" in shell.refusal("get", "--name", "half")


@pytest.mark.timeout(1800)
def test_a_deployment_is_rehearsed_by_run_local(shell):
    out = shell.deployments("run-local", "--name", "half", "-m", "models:/half/2")
    assert "was deployed on offline clouds" in out


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("-m", "models:/half/3"), "there is no SavedModel in this model"),
        (("-m", "models:/half/1", "-f", "sklearn"), "the flavor `sklearn` is not deployed"),
        (("-m", "models:/half/1", "-C", "percent=0"), "`0` is not a percentage"),
        (("-m", "models:/half/1", "-C", "colour=blue"), "there is no config `colour`"),
        (("-m", "model", "-C", "alias=live"), "only a version of MLflow's registry has an alias"),
        (
            ("-m", "models:/half/1", "-C", "alias=live", "-C", "percent=10"),
            "an alias follows the version with all traffic",
        ),
        (("-m", "models:/half/1", "-C", "override=golden"), "an override needs a reason"),
        (("-m", "models:/half/1", "-C", "percent=10"), "the first version of a deployment has all"),
    ],
)
def test_invalid_deployments_are_refused_in_a_sentence(shell, options, sentence):
    assert sentence in shell.refusal("create", "--name", "other", *options)


@pytest.mark.timeout(1800)
def test_help_names_the_target_and_the_config(shell):
    done = shell.run("mlflow", "deployments", "help", "-t", "cloudserve")
    assert "cloudserve:/TARGET" in done.stdout
    assert "percent=10" in done.stdout


FOLLOWER = ("follower", "--target", "aws")
ASKED = ("--set", "mlflow_alias=live", "-o", "json")


@pytest.mark.timeout(1800)
def test_a_path_of_the_registry_is_released_and_its_alias_follows_the_traffic(shell):
    shell.alias("candidate", 1)
    first = shell.cloudserve("deploy", *FOLLOWER, *ASKED)
    assert first.returncode == 0, first.stderr
    assert "download models:/half/1" in first.stderr
    assert json.loads(first.stdout)["alias"] == {
        "alias": "live",
        "version": "models:/half/1",
        "error": "",
    }
    assert shell.aliases()["live"] == 1

    # The plan names version 2; the alias moves before it is applied.
    shell.alias("candidate", 2)
    planned = shell.cloudserve("plan", "deploy", *FOLLOWER, "--out", "plan.json")
    assert planned.returncode == 0, planned.stderr
    shell.alias("candidate", 1)
    moved = shell.cloudserve("apply", "plan.json")
    assert moved.returncode == 5, moved.stderr
    assert "the model's path names models:/half/1 now" in moved.stderr
    shell.alias("candidate", 2)
    applied = shell.cloudserve("apply", "plan.json")
    assert applied.returncode == 0, applied.stderr
    assert shell.aliases()["live"] == 1

    # A rehearsal does not touch the registry, whatever the project file says.
    rehearsed = shell.cloudserve("promote", *FOLLOWER)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "a rehearsal leaves the alias `live`" in rehearsed.stderr
    assert shell.aliases()["live"] == 1

    # The command asks: the version has its traffic already, and the alias is set all the same.
    asked = shell.cloudserve("promote", *FOLLOWER, *ASKED)
    assert json.loads(asked.stdout)["alias"]["version"] == "models:/half/2"
    assert shell.aliases()["live"] == 2
    back = shell.cloudserve("rollback", *FOLLOWER, *ASKED)
    assert json.loads(back.stdout)["alias"]["version"] == "models:/half/1"
    assert shell.aliases()["live"] == 1


@pytest.mark.timeout(1800)
def test_a_registry_that_fails_does_not_undo_the_release(shell):
    away = {
        "MLFLOW_TRACKING_URI": "http://ada:secret@127.0.0.1:1",
        "MLFLOW_REGISTRY_URI": "http://ada:secret@127.0.0.1:1",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    done = shell.cloudserve("promote", *FOLLOWER, "--version", "2", *ASKED, **away)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["changed"]
    assert document["deployment"]["live"].startswith("v2-")
    assert document["alias"]["version"] == ""
    assert "the release is done, but the alias `live` was not set" in done.stderr
    assert "cloudserve promote follower --target aws --version v2-" in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert shell.aliases()["live"] == 1
    again = shell.cloudserve("promote", *FOLLOWER, "--version", "2", *ASKED)
    assert not json.loads(again.stdout)["changed"]
    assert shell.aliases()["live"] == 2


@pytest.mark.timeout(1800)
def test_the_files_of_a_run_are_read_and_released(shell):
    inspected = shell.cloudserve("inspect", "run", "-o", "json")
    assert inspected.returncode == 0, inspected.stderr
    digest = json.loads(inspected.stdout)["digest"]
    planned = shell.cloudserve(
        "plan", "deploy", "run", "--target", "aws", "--version", "7", "-o", "json"
    )
    assert json.loads(planned.stdout)["revision"] == f"v7-{digest[:12]}"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("url", "code", "sentence"),
    [
        ("models:/half@nobody", 2, "MLflow has no such model"),
        ("models:/none/1", 2, "MLflow has no such model"),
        ("models:/half/3", 3, "there is no SavedModel in this model"),
        ("runs:/0123456789abcdef0123456789abcdef/export", 2, "MLflow has no such model"),
    ],
)
def test_a_model_that_the_registry_does_not_have_is_an_error(shell, tmp_path, url, code, sentence):
    project = tmp_path / "cloudserve.yaml"
    project.write_text(f"models: {{m: {{path: '{url}'}}}}\n")
    done = shell.cloudserve("inspect", "m", "--project", str(project))
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert url in done.stderr


@pytest.mark.timeout(1800)
def test_mlflows_own_deployment_to_sagemaker_runs_unmodified(tmp_path):
    if "MLFLOW" not in os.environ:
        pytest.skip("MLFLOW does not name the folder of MLflow's commands: make oracle-mlflow")
    commands = Path(os.environ["MLFLOW"]).resolve()
    version = subprocess.run(
        [commands / "mlflow", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    (tmp_path / "serve.sh").write_text(f"export PATH={commands}:/usr/bin:/bin{SERVE}")
    rehearsed = ("--rehearse", f"{REGISTRY}/mlflow-pyfunc:{version}=sh serve.sh")
    emulate = (sys.executable, "-m", "cloudserve", "emulate", "--intercept", *rehearsed)
    done = subprocess.run(
        [*emulate, "--", commands / "python", "-c", OWN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer, left = done.stdout.splitlines()[-2:]
    assert answer == "{'predictions': [2.5, 4.5]}"
    assert left == "[]"
    assert "refused" not in done.stderr
