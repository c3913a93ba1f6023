"""`cloudserve.offline_clouds` and the pytest plugin: offline clouds for programs and tests."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import uuid

import boto3
import pytest

import cloudserve
from cloudserve.errors import UserError
from cloudserve.pytest import pointed_clouds

pytest_plugins = ["pytester"]


def mark(url):
    """Make a bucket in offline clouds, and return its URL there.

    When they have ended, another process may get their port: only these clouds have the bucket.
    """
    name = uuid.uuid4().hex
    body = json.dumps({"name": name}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/storage/v1/b?project=p", body, headers)
    with urllib.request.urlopen(request, timeout=30):
        return f"{url}/storage/v1/b/{name}"


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False


def test_the_clouds_answer_until_the_end_of_the_block(tmp_path):
    with cloudserve.offline_clouds(tmp_path / "data") as clouds:
        url = mark(clouds.url)
        assert answers(url)
        assert (tmp_path / "data").is_dir()
    assert not answers(url)


def test_the_environment_has_no_variable_of_a_real_account(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "real.json")
    with cloudserve.offline_clouds() as clouds:
        environment = clouds.apply({**os.environ, "MINE": "kept"})
    assert "AWS_PROFILE" not in environment
    assert environment["GOOGLE_APPLICATION_CREDENTIALS"].endswith("service-account.json")
    assert (environment["AWS_ENDPOINT_URL"], environment["MINE"]) == (clouds.url, "kept")


def test_clouds_that_do_not_start_are_an_error(capfd):
    with (
        pytest.raises(UserError, match="the offline clouds did not start: exit code 2"),
        cloudserve.offline_clouds(None, "--no-such-option"),
    ):
        pytest.fail("the block ran")
    assert re.search("no such option.*--no-such-option", capfd.readouterr().err)


def test_the_clouds_end_when_their_process_is_killed():
    program = (
        "import cloudserve, signal\n"
        "with cloudserve.offline_clouds() as clouds:\n"
        "    print(clouds.url, flush=True)\n"
        "    signal.pause()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        url = mark(process.stdout.readline().decode().strip())
        assert answers(url)
        process.send_signal(signal.SIGKILL)
        process.stderr.read()  # until the clouds, which inherit it, have ended
    assert not answers(url)


SUITE = """
import boto3
import pytest

real = boto3.client("s3", "eu-west-1")  # before the fixtures: it makes the default session


def buckets():
    return [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]


@pytest.mark.parametrize("name", ["one", "two"])
def test_each_test_has_clouds_of_its_own(cloudserve_clouds, name):
    boto3.client("s3").create_bucket(Bucket=f"the-{name}")
    assert buckets() == [f"the-{name}"]


@pytest.mark.parametrize("number", [1, 2])
def test_the_clouds_of_the_session_keep_what_is_created(cloudserve_session_clouds, number):
    boto3.client("s3").create_bucket(Bucket=f"the-{number}")
    assert len(buckets()) == number
"""


def test_a_suite_uses_the_fixtures_with_unmodified_boto3(pytester, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=4)


INTERCEPTED = """
import urllib.error
import urllib.request

import boto3
import pytest


def test_code_that_names_no_endpoint(cloudserve_intercepted_clouds):
    boto3.client("s3", region_name="eu-west-1").list_buckets()
    url = "https://runtime.sagemaker.eu-west-1.amazonaws.com"
    assert boto3.client("sagemaker-runtime", region_name="eu-west-1").meta.endpoint_url == url
    assert cloudserve_intercepted_clouds.url.startswith("http://127.0.0.1:")
    with pytest.raises(OSError, match="outside the rehearsal"):
        urllib.request.urlopen("https://pypi.org/")


def test_nothing_of_it_is_left():
    with pytest.raises(OSError, match="Connection refused"):
        urllib.request.urlopen("http://127.0.0.1:1/")
"""


def test_a_suite_runs_under_the_clouds_real_hosts(pytester, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere.example")
    pytester.makepyfile(INTERCEPTED)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_fixture_puts_the_environment_and_the_session_of_boto3_back(monkeypatch):
    session = boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    monkeypatch.setenv("AWS_PROFILE", "mine")
    with pointed_clouds() as clouds:
        assert os.environ["AWS_ENDPOINT_URL"] == clouds.url
        assert "AWS_PROFILE" not in os.environ
        assert boto3.DEFAULT_SESSION is None
    assert os.environ["AWS_PROFILE"] == "mine"
    assert boto3.DEFAULT_SESSION is session
