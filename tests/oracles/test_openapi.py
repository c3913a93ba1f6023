"""The servers' OpenAPI document and their answers, by requests that schemathesis makes from it.

SCHEMATHESIS is its program (`make oracle-openapi`).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCHEMATHESIS = os.environ.get("SCHEMATHESIS", "")
CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))
MODELS = ("tfs_half_plus_two_2v", "tfs_matrix_half_plus_two", "sm_half_plus_three")
EXAMPLES = ("tfx_taxi_estimator",)
CONFORMANCE = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)

pytestmark = [
    pytest.mark.skipif(not SCHEMATHESIS, reason="run by `make oracle-openapi`"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def url(shared_models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name in (*MODELS, *EXAMPLES):
        shutil.copytree(shared_models / name, folder / "models" / name)
    command = [CLOUDSERVE, "serve", "models", "--port", "0", "--grpc-port", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        line = next(line for line in process.stderr if line.startswith("serving "))
        yield next(word.rstrip(",") for word in line.split() if word.startswith("http://"))
        process.terminate()
        process.stderr.read()


def explore(url, *flags):
    command = [str(Path(SCHEMATHESIS).absolute()), "run", f"{url}/openapi.json", "--url", url]
    command += ["--max-examples", "40", "--seed", "7", "--no-color", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def test_answers_to_valid_requests_are_as_described(url):
    assert "Tested: " in explore(url, "--mode", "positive", "--checks", CONFORMANCE)


def test_numbers_that_fit_the_schema_are_taken(url):
    explore(
        url,
        *("--mode", "positive", "--checks", f"{CONFORMANCE},positive_data_acceptance"),
        *("--include-path-regex", "matrix.*:predict"),
    )


def test_answers_to_invalid_requests_are_as_described(url):
    # A shape is the graph's to check, and TRACE is malformed to TensorFlow Serving (400, not 405).
    explore(url, "--mode", "negative", "--checks", "not_a_server_error,content_type_conformance")
