"""`cloudserve emulate --detach`, `emulate status` and `emulate stop`, as a CI job runs them."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from cloudserve.cli.exits import Exit

PLAN = "/_cloudserve/console/api/releases/plan"
PROJECT = """
models:
  half: {{path: {model}}}
targets:
  aws:
    provider: sagemaker
    bucket: s3://models
    role_arn: arn:aws:iam::000000000000:role/models
    region: eu-west-1
"""
LIST = """
import os, urllib.request
urllib.request.urlopen(os.environ["STORAGE_EMULATOR_HOST"] + "/storage/v1/b?project=p").close()
"""


def emulate(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cloudserve", "emulate", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def kill(pid):
    """Kill a process that is not a child, and return once it has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)


def wait_for_link(log):
    """Return the console's address and token, which are printed after the clouds answer."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if link := re.search(r"console: (\S+)/#token=(\S+)\n", log.read_text()):
            return link
        time.sleep(0.05)
    pytest.fail(log.read_text())


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "clouds"
    yield folder
    assert emulate("stop", "--data", folder).returncode == Exit.OK


def test_clouds_of_a_job_are_started_shown_and_stopped(data):
    started = emulate("--detach", "--data", data)
    assert started.returncode == Exit.OK, started.stderr
    assert f"emulate stop --data {data}" in started.stdout
    exports = emulate("status", "--env", CLOUDSERVE_EMULATE_DATA=str(data)).stdout
    shown = json.loads(emulate("status", "--data", data, "-o", "json").stdout)
    assert f"export AWS_ENDPOINT_URL={shown['url']}\n" in exports
    assert exports.startswith("unset AWS_PROFILE ")
    subprocess.run(["sh", "-ec", f'{exports}\n"$0" -c "$1"', sys.executable, LIST], check=True)

    again = emulate("--detach", "--data", data)
    assert again.returncode == Exit.USAGE
    assert "another emulator uses this data directory" in again.stderr

    assert wait_for_link(data / "emulator.log")
    assert "stopped the offline clouds" in emulate("stop", "--data", data).stderr
    assert (data / "emulator.log").stat().st_mode & 0o077 == 0  # nobody else reads the token
    assert not (data / "emulator.json").exists()
    assert emulate("status", "--data", data).returncode == Exit.CHECK


def test_clouds_that_were_killed_are_not_running(data):
    started = emulate("--detach", "--data", data, "--env", "--")
    assert started.returncode == Exit.OK, started.stderr
    assert started.stdout.startswith("unset ")
    shown = json.loads(emulate("status", "--data", data, "-o", "json").stdout)
    kill(shown["pid"])
    failed = emulate("status", "--data", data, "-o", "json")
    assert failed.returncode == Exit.CHECK
    assert json.loads(failed.stderr)["error"]["where"] == str(data)
    assert "no offline clouds run" in emulate("stop", "--data", data).stderr


def test_a_folder_of_other_files_is_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "notes.txt").touch()
    refused = emulate("--detach", "--data", tmp_path)
    assert refused.returncode == Exit.USAGE
    assert "has files of others, such as notes.txt" in refused.stderr.replace("`", "")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_two_data_folders_have_their_own_clouds(data, tmp_path):
    other = tmp_path / "other"
    urls = set()
    for folder in (data, other):
        assert emulate("--detach", "--data", folder).returncode == Exit.OK
        urls.add(json.loads(emulate("status", "--data", folder, "-o", "json").stdout)["url"])
    assert len(urls) == 2
    assert emulate("stop", "--data", other).returncode == Exit.OK
    assert emulate("status", "--data", data).returncode == Exit.OK


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--detach"], "`--detach` needs `--data DIR`"),
        (["--detach", "--data", "d", "--", "true"], "`--detach` takes no COMMAND"),
        (["--data", "d", "stop"], "`stop` comes first"),
        (["--data", "d", "stop", "-q"], "`stop` comes first"),
        (["stop"], "missing option '--data'"),
        (["--detach", "--data", "/dev/null/d"], "the data directory cannot be used"),
    ],
)
def test_invalid_arguments_are_refused_without_a_file(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    done = emulate(*arguments)
    assert done.returncode == Exit.USAGE
    assert sentence in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("--env", "--prot", "1"), ("--env", "--faults", "none.yaml"), ("status", "--env")],
    ids=["usage", "fault file", "not running"],
)
def test_exports_that_fail_are_an_error_of_the_shell_that_reads_them(tmp_path, arguments):
    failed = emulate(*arguments, CLOUDSERVE_EMULATE_DATA=str(tmp_path / "none"))
    assert failed.returncode != Exit.OK
    script = 'set -e; . "$0"; echo continues'
    (tmp_path / "exports").write_text(failed.stdout)
    sourced = subprocess.run(
        ["sh", "-c", script, tmp_path / "exports"], capture_output=True, text=True, check=False
    )
    assert sourced.returncode == 1
    assert sourced.stdout == ""
    assert "cloudserve emulate failed: no variable is set" in sourced.stderr


def ask(url, body, token):
    """Ask without a proxy, as a browser does that was told about the server."""
    headers = {"X-Cloudserve-Token": token, "Content-Type": "application/json"}
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(Request(url, body.encode(), headers), timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_requests_to_this_machine_are_kept_away_from_a_proxy(data, tmp_path, shared_models):
    project = tmp_path / "cloudserve.yaml"
    project.write_text(PROJECT.format(model=shared_models / "tfs_half_plus_two_2v"))
    proxied = {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "intra", "no_proxy": "intra,::1"}
    started = emulate("--detach", "--data", data, "--env", "--project", project, **proxied)
    assert started.returncode == Exit.OK, started.stderr
    for exports in (
        started.stdout,
        emulate("status", "--data", data, "--env", **proxied).stdout,
    ):
        for name in ("NO_PROXY", "no_proxy"):
            assert f"export {name}=intra,::1,127.0.0.1,localhost\n" in exports
        environment = {**os.environ, **proxied, "no_proxy": "", "NO_PROXY": ""}
        script = f'{exports}\n"$0" -c "$1"'
        subprocess.run(["sh", "-ec", script, sys.executable, LIST], check=True, env=environment)
    assert "NO_PROXY" not in emulate("status", "--data", data, "--env", HTTP_PROXY="").stdout
    # A release of the page calls the clouds from their own process.
    link = wait_for_link(data / "emulator.log")
    wanted = json.dumps({"operation": "promote", "model": "half", "target": "aws"})
    status, answer = ask(f"{link[1]}{PLAN}", wanted, link[2])
    assert status == 409
    assert "nothing of half is deployed" in answer["error"]
