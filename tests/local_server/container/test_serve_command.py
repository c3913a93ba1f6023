"""`cloudserve serve --as sagemaker`, as a process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from cloudserve.cli.command_tree import cli

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))


@contextmanager
def served(tree: Path, *options: str, **environment: str):
    command = [CLOUDSERVE, "serve", "--as", "sagemaker", str(tree), "--port", "0", *options]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    ) as process:
        try:
            for line in process.stderr:
                if match := re.search(r"as a SageMaker container on (http://\S+)", line):
                    yield match[1]
                    return
            pytest.fail("it ended before it served")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == 0


def post(url: str, body: bytes, kind: str) -> tuple[int, bytes]:
    try:
        with urlopen(Request(url, body, {"Content-Type": kind})) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_containers_contract_alone_is_served(half_plus_three):
    with served(half_plus_three) as url:
        with urlopen(f"{url}/ping") as answer:
            assert answer.status == 200
        status, body = post(f"{url}/invocations", b"1.0\n2.0", "text/csv")
        assert (status, json.loads(body)) == (200, {"predictions": [3.5, 4.0]})
        status, body = post(f"{url}/v1/models/half_plus_three:predict", b"{}", "application/json")
        assert (status, body) == (404, b'{"error": "Not Found"}')


def test_variables_and_the_image_count(with_code):
    line = "return os.environ['SAGEMAKER_X'], 'a/b'"
    tree = with_code({"inference.py": f"import os\ndef handler(data, context):\n    {line}\n"})
    with served(tree, "--image", "2.19", SAGEMAKER_X="seen") as url:
        assert post(f"{url}/invocations", b"", "text/plain") == (200, b"seen")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as", "sagemaker", "--name", "m"], "--name cannot be used with --as sagemaker"),
        (["--as", "sagemaker", "--no-grpc"], "--no-grpc cannot be used with --as sagemaker"),
        (["--image", "2.19"], "--image requires --as sagemaker"),
    ],
)
def test_options_of_the_other_protocol_are_rejected(tmp_path, arguments, message):
    result = CliRunner().invoke(cli, ["serve", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_a_tree_without_models_is_reported_and_leaves_nothing_behind(tmp_path):
    command = [CLOUDSERVE, "serve", "--as", "sagemaker", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "no SavedModel bundles found!" in done.stderr


class TestAModelsOwnDirectory:
    """Where `deploy` asks for the code: in the version, `NUMBER/code/`."""

    SCRIPT = "def handler(data, context):\n    return __file__ + ' {}', 'text/plain'\n"

    @pytest.fixture
    def versions(self, half_plus_three, tmp_path) -> Path:
        """Provide a model's directory: versions 123 and 124, each with code that tells which."""
        base = tmp_path / "half"
        shutil.copytree(half_plus_three / "half_plus_three", base)
        for version in ("123", "124"):
            (base / version / "code").mkdir()
            (base / version / "code" / "inference.py").write_text(self.SCRIPT.format(version))
        return base

    def test_the_highest_versions_code_runs(self, versions):
        before = sorted(versions.rglob("*"))
        with served(versions) as url:
            status, body = post(f"{url}/invocations", b"", "text/plain")
            assert (status, body.split()[1]) == (200, b"124")
            assert b"/code/inference.py" in body
        assert sorted(versions.rglob("*")) == before

    def test_several_models_with_code_are_refused(self, versions):
        shutil.copytree(versions, versions.parent / "other")
        command = [CLOUDSERVE, "serve", "--as", "sagemaker", str(versions.parent), "--port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "half and other each have a code/, and a container runs one" in done.stderr


def test_the_shells_variables_are_passed_by_name_alone(with_code):
    line = "return json.dumps({k: os.environ.get(k) for k in ('A', 'B', 'C', 'D')}), 'a/b'"
    tree = with_code({"inference.py": f"import json, os\ndef handler(d, c):\n    {line}\n"})
    options = ("--container-env", "A", "--container-env", "B=2", "--container-env", "D=")
    with served(tree, *options, A="1", C="3") as url:
        observed = json.loads(post(f"{url}/invocations", b"", "text/plain")[1])
    assert observed == {"A": "1", "B": "2", "C": None, "D": ""}


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("CLOUDSERVE_NO_SUCH", "`CLOUDSERVE_NO_SUCH` is not set in this shell"),
        ("=x", "`=x` has no name"),
    ],
)
def test_a_variable_that_cannot_be_passed_is_refused(tmp_path, variable, message):
    result = CliRunner().invoke(
        cli, ["serve", str(tmp_path), "--as", "sagemaker", "--container-env", variable]
    )
    assert result.exit_code == 2
    assert message in result.output


def save_endless_model(path: Path) -> None:
    """Write a model whose one signature never comes to its end."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None])
        y = tf.while_loop(lambda _: True, lambda value: value + 1, [x])[0]
        v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": y})


@pytest.mark.slow
def test_a_run_without_an_end_does_not_keep_the_process(tmp_path):
    """`served` waits for the end, which is one of success."""
    save_endless_model(tmp_path / "endless" / "1")
    with served(tmp_path / "endless", "--drain-seconds", "0") as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
            client.sendall(
                f"{head}\r\nContent-Length: 20\r\n\r\n".encode() + b'{"instances": [1.0]}'
            )
            with urlopen(f"{url}/ping") as answer:  # by now the request was read
                assert answer.status == 200
