"""`cloudserve serve --as sagemaker`, as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from cloudserve.cli.commands import cli

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
        (["--as", "sagemaker", "--name", "m"], "--name counts without --as sagemaker alone"),
        (["--as", "sagemaker", "--no-grpc"], "--no-grpc counts without --as sagemaker alone"),
        (["--image", "2.19"], "--image counts with --as sagemaker alone"),
    ],
)
def test_options_of_the_other_face_are_refused(tmp_path, arguments, message):
    result = CliRunner().invoke(cli, ["serve", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_a_tree_without_models_is_told_and_nothing_is_left(tmp_path):
    command = [CLOUDSERVE, "serve", "--as", "sagemaker", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "no SavedModel bundles found!" in done.stderr
