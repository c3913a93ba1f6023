"""`cloudserve emulate --intercept -- COMMAND`: unmodified programs, and no way out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from .conftest import CLOUDSERVE

QUICK_STARTS = Path(__file__).with_name("quick_starts")
NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--")
REAL = {
    "AWS_PROFILE": "production",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ENDPOINT_URL_S3": "https://elsewhere.example",
    "GOOGLE_APPLICATION_CREDENTIALS": "/home/ada/real.json",
    "STORAGE_EMULATOR_HOST": "http://elsewhere.example",
    "BOTO_CONFIG": "/home/ada/.boto",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "https_proxy": "http://proxy.example:3128",
    "NO_PROXY": "amazonaws.com,googleapis.com",
    "no_grpc_proxy": "googleapis.com",
}


def intercept(*command, prefix=(), **options) -> tuple[int, str, str]:
    done = subprocess.run(
        [*prefix, CLOUDSERVE, "emulate", "--intercept", *options.get("arguments", ()), *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **REAL},
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_gets_a_proxy_that_refuses_other_hosts_and_no_way_around_it():
    script = (sys.executable, str(QUICK_STARTS / "elsewhere.py"))
    code, out, err = intercept("--", *script)
    assert code == 7  # the command's
    assert "pypi.org is outside the rehearsal" in out
    assert (
        "3 requests to hosts outside the rehearsal were refused: 10.0.0.1, example.com, pypi.org"
    ) in err
    variables = json.loads(out.splitlines()[0])
    for name in ("AWS_PROFILE", "STORAGE_EMULATOR_HOST", "no_grpc_proxy"):
        assert name not in variables
    assert variables["AWS_SESSION_TOKEN"] == "cloudserve"
    proxy = variables["HTTPS_PROXY"]
    assert proxy.startswith("http://127.0.0.1:")
    assert {variables[name] for name in ("https_proxy", "HTTP_PROXY", "http_proxy")} == {proxy}
    assert variables["NO_PROXY"] == variables["no_proxy"] == "localhost,127.0.0.1,::1"
    assert not [text for text in variables.values() if ".example" in text or "/ada/" in text]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "`--intercept` needs a COMMAND"),
        (("--env",), "`--intercept` needs a COMMAND"),
        (("--", "no-such-program"), "does not exist"),
    ],
)
def test_wrong_uses_start_nothing(arguments, text):
    code, _, err = intercept(*arguments)
    assert code == 2
    assert text in err


@pytest.mark.slow
def test_a_key_that_others_can_read_stops_the_start(tmp_path):
    folder = tmp_path / "intercept"
    arguments = ("--data", str(tmp_path))
    code, _, err = intercept("--", "true", arguments=arguments)
    assert code == 0
    assert "no request came through the proxy" in err
    (folder / "authority-key.pem").chmod(0o644)
    code, _, err = intercept("--", "true", arguments=arguments)
    assert code == 2
    assert "can be read by other users" in err
    assert "remove it" in err


@pytest.mark.slow
def test_ctrl_c_reaches_the_command():
    program = "import signal, sys\nprint('waiting', flush=True)\nsignal.pause()"
    command = [CLOUDSERVE, "emulate", "--intercept", "--", sys.executable, "-c", program]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 128 + signal.SIGINT


@pytest.fixture(scope="module")
def namespace():
    """Give what runs a program where there is no network but loopback."""
    script = ("sh", "-c", "ip link set lo up || ifconfig lo up")
    if not shutil.which("unshare"):
        pytest.skip("this machine has no `unshare`")
    tried = subprocess.run([*NAMESPACE, *script], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network namespace: {tried.stderr.strip()}")
    return (*NAMESPACE, "sh", "-c", 'ip link set lo up; exec "$@"', "sh")


@pytest.mark.slow
class TestQuickStartsWithoutAnyRoute:
    """In a namespace with loopback alone, a request that left the machine would fail."""

    def test_boto3_deploys_a_model(self, namespace, shared_models, tmp_path):
        archive = tmp_path / "model.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(shared_models / "tfs_half_plus_two_cpu", "1")
        script = (sys.executable, str(QUICK_STARTS / "s3_and_sagemaker.py"), str(archive))
        code, out, err = intercept("--", *script, prefix=namespace)
        assert code == 0, err
        account, _, answer = out.partition(" ")
        assert account == "000000000000"
        assert json.loads(answer)["predictions"] == [2.5, 4.5]
        assert "refused" not in err

    def test_googles_clients(self, namespace):
        script = (sys.executable, str(QUICK_STARTS / "storage_and_vertex.py"))
        code, out, err = intercept("--", *script, prefix=namespace)
        assert code == 0, err
        assert out.splitlines()[0] == "hello"
        assert out.splitlines()[-1] == "['half']"
        assert "refused" not in err

    def test_curl(self, namespace):
        if not shutil.which("curl"):
            pytest.skip("this machine has no curl")
        url = "https://my-bucket.s3.eu-west-1.amazonaws.com/key"
        code, out, _ = intercept("--", "curl", "-s", url, prefix=namespace)
        assert (code, "NoSuchBucket" in out) == (0, True)
