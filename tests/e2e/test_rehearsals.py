"""`cloudserve emulate -- COMMAND`: a rehearsal in one line."""

import json
import os
import signal
import sys

import pytest

from .conftest import CLOUDSERVE, OTHER_ENDPOINT

EMULATORS = {
    *("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
    *("AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "STORAGE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"),
    *("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", "NO_PROXY", "no_proxy"),
    *("SAGEMAKER_ADMIN_CONFIG_OVERRIDE", "SAGEMAKER_VALIDATE_ROLE", "EPATH_USE_TF"),
    *("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "CLOUDSDK_API_ENDPOINT_OVERRIDES_MONITORING"),
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING",
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER",
    *("HTTP_PROXY", "CLOUDSERVE_ACTOR"),
}
SHOW = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]


@pytest.fixture
def shell(terminal):
    """Give the terminal without an emulator, and with a real account's credentials."""
    terminal.environment = {
        "CLOUDSERVE_ACTOR": "ada",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/real",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/ada/real.json",
        "HTTP_PROXY": "http://proxy.example:3128",
        "NO_PROXY": "intranet.example",
    }
    return terminal


def test_a_release_is_rehearsed_in_one_line(shell):
    script = f"""
        set -e
        {CLOUDSERVE} deploy {shell.model} -t aws --version 1
        echo '{{"instances": [1.0, 5.0]}}' | {CLOUDSERVE} predict {shell.model} -t aws -o json
    """
    out = shell.ok("emulate", "--", "sh", "-c", script)
    assert json.loads(out[out.index("{") :])["predictions"] == [2.5, 4.5]


def test_the_command_has_the_emulators_variables_and_no_real_account(shell):
    variables = json.loads(shell.ok("emulate", "--", *SHOW))
    url = variables["AWS_ENDPOINT_URL"]
    assert url == variables["STORAGE_EMULATOR_HOST"]
    assert not url.endswith(":8900")  # a free port, so that jobs on one machine do not meet
    assert variables.keys() - os.environ.keys() <= EMULATORS  # not those of its TensorFlow
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"}.isdisjoint(variables)
    assert "real.json" not in variables["GOOGLE_APPLICATION_CREDENTIALS"]
    assert variables["NO_PROXY"] == variables["no_proxy"] == "intranet.example,127.0.0.1,localhost"


def test_the_printed_lines_unset_each_endpoint_that_the_shell_has(clouds):
    assert OTHER_ENDPOINT in clouds.unset


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -KILL $$", 137)])
def test_the_exit_code_is_the_commands(shell, script, code):
    assert shell.run("emulate", "--", "sh", "-c", script)[0] == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_to_the_command_whose_exit_code_counts(shell, number):
    program = (
        "import signal, sys\n"
        f"signal.signal({int(number)}, lambda number, frame: sys.exit(9))\n"
        "print('waiting', flush=True)\n"
        "while True: signal.pause()\n"
    )
    arguments = ("emulate", "--", sys.executable, "-c", program)
    with shell.start(*arguments, start_new_session=True) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        assert process.wait() == 9


@pytest.mark.parametrize(
    ("arguments", "problem", "printed"),
    [
        (("--", "no-such-program"), "the command `no-such-program` does not exist", ""),
        (("--env", "--", "true"), "`--env` prints variables that a COMMAND is given", "false\n"),
    ],
)
def test_a_command_that_cannot_run_is_refused_before_the_start(shell, arguments, problem, printed):
    """With --env, a shell that evaluates what is printed fails, too."""
    code, out, err = shell.run("emulate", *arguments)
    assert code == 2
    assert out.endswith(printed)
    assert bool(out) == bool(printed)
    assert problem in err
