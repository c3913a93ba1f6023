"""MLflow's own command line, with a registry in SQLite, deploys to the offline SageMaker.

`make oracle-mlflow` makes MLflow an environment of its own, with this project in it, and names the
folder of its commands in MLFLOW; anywhere else these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from cloudserve.local.offline import offline_clouds

PROJECT = """\
models:
  half: {path: nowhere}
targets:
  aws:
    provider: sagemaker
    bucket: s3://mlflow-models
    role_arn: arn:aws:iam::000000000000:role/rehearsal
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
"""

ALIAS = (
    "import mlflow; print(mlflow.MlflowClient().get_model_version_by_alias('half', 'live').version)"
)


class Shell:
    """MLflow's commands in a folder, with the environment of offline clouds."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.commands = Path(os.environ["MLFLOW"]).resolve()
        self.environment = environment

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.commands / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def deployments(self, verb: str, *options: str) -> str:
        done = self.run("mlflow", "deployments", verb, "-t", "cloudserve:/aws", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refusal(self, verb: str, *options: str) -> str:
        done = self.run("mlflow", "deployments", verb, "-t", "cloudserve:/aws", *options)
        assert done.returncode != 0, done.stdout
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
        yield shell


def answers(shell):
    out = shell.deployments("predict", "--name", "half", "-I", "x.json")
    return json.loads(out[out.index("{") :])["predictions"]


@pytest.mark.timeout(600)
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
    assert shell.run("python", "-c", ALIAS).stdout.split() == ["2"]
    assert "half" in shell.deployments("list")
    described = shell.deployments("get", "--name", "half")
    assert "live: v2-" in described
    for _ in range(2):
        shell.deployments("delete", "--name", "half")
    assert "there is no deployment half" in shell.refusal("get", "--name", "half")


@pytest.mark.timeout(600)
def test_a_deployment_is_rehearsed_by_run_local(shell):
    out = shell.deployments("run-local", "--name", "half", "-m", "models:/half/2")
    assert "was deployed on offline clouds" in out


@pytest.mark.timeout(600)
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


@pytest.mark.timeout(600)
def test_help_names_the_target_and_the_config(shell):
    done = shell.run("mlflow", "deployments", "help", "-t", "cloudserve")
    assert "cloudserve:/TARGET" in done.stdout
    assert "percent=10" in done.stdout
