"""The script of `cloudserve image` as a process, told as Vertex AI tells a container."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from cloudserve.images.dockerfile import write_image

ROUTES = {
    "AIP_MODE": "PREDICTION",
    "AIP_HTTP_PORT": "0",
    "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/9:predict",
    "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/9",
}
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def free_port() -> int:
    """Return a port that was free a moment ago: the flags know no port that picks itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def script(tmp_path) -> Path:
    write_image(tmp_path / "image")
    return tmp_path / "image" / "serve.sh"


@pytest.fixture
def container(script, terminal):
    """Give what runs the script with variables and arguments, and says where it answers."""

    @contextmanager
    def run(*arguments: str, **variables: str):
        home = {"CLOUDSERVE_MODEL_CACHE": str(script.parent / "cache"), "PATH": PATH}
        environment = os.environ | terminal.environment | home | variables
        with subprocess.Popen(
            [script, *arguments], stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                log = []
                for line in process.stderr:
                    log.append(line)
                    if match := re.search(r"(?:on http://|REST API at:)\S*:(\d+)", line):
                        yield f"http://127.0.0.1:{match[1]}"
                        break
                else:
                    pytest.fail("".join(log))
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)
                assert process.returncode == 0

    return run


@pytest.fixture
def deployed(terminal) -> str:
    """Give the URL of the folder of NUMBER/ that a deployment names to a container."""
    terminal.ok("deploy", terminal.model, "-t", "gcp", "--version", "1")
    ml = terminal.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"]
    name = terminal.model.replace("-", "_")
    models = f"{ml}v1/projects/rehearsal/models/{name}/versions"
    (version,) = requests.get(models, timeout=60).json()["versions"]
    return version["deploymentUri"].rstrip("/").removesuffix("/1")


def test_a_saved_model_is_served_on_the_routes_that_vertex_ai_names(container, deployed):
    with container(AIP_STORAGE_URI=f"{deployed}/1", **ROUTES) as url:
        assert requests.get(url + ROUTES["AIP_HEALTH_ROUTE"], timeout=60).status_code == 200
        predict = url + ROUTES["AIP_PREDICT_ROUTE"]
        body = {"instances": [1.0, 5.0], "parameters": {"signature_name": "serving_default"}}
        answer = requests.post(predict, json=body, timeout=60)
        assert answer.json() == {"predictions": [2.5, 4.5]}
        answer = requests.post(predict, json={"instances": ["text"]}, timeout=60)
        assert answer.status_code == 400
        assert "error" in answer.json()


def test_arguments_of_tensorflow_serving_are_taken_too(container, deployed):
    flags = (f"--rest_api_port={free_port()}", "--model_name=m", f"--model_base_path={deployed}")
    with container(f"--port={free_port()}", *flags, **ROUTES) as url:
        answer = requests.post(f"{url}/v1/models/m:predict", json={"instances": [1]}, timeout=60)
        assert answer.json() == {"predictions": [2.5]}


def test_no_port_and_no_route_are_refused(script, terminal):
    def refuse(**variables: str) -> str:
        fields = {"PATH": PATH, "AIP_STORAGE_URI": str(terminal.folder)}
        environment = os.environ | ROUTES | fields | variables
        done = subprocess.run(
            [script], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        return done.stderr

    assert "the variable AIP_HTTP_PORT is not a port number: `http`" in refuse(AIP_HTTP_PORT="http")
    text = refuse(AIP_PREDICT_ROUTE="predict")
    assert "the variable AIP_PREDICT_ROUTE does not begin with /: `predict`" in text


@pytest.mark.parametrize(
    ("uri", "reason"),
    [("", "Path '/model' does not exist"), ("gs://no-such/half", "nothing at gs://no-such/")],
)
def test_a_container_without_a_model_ends_with_the_reason(script, terminal, uri, reason):
    done = subprocess.run(
        [script],
        env=os.environ | terminal.environment | ROUTES | {"PATH": PATH, "AIP_STORAGE_URI": uri},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert reason in done.stderr
