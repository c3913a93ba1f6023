"""The lines that point a shell at offline clouds, as another shell evaluates them."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cloudserve.cli.servers.variables import VARIABLES_TO_UNSET, print_exports

SHOW = "import os; print([name for name in sorted(os.environ) if name.startswith('AWS_')])"


@pytest.fixture
def exports(monkeypatch):
    """Return a function: what a command prints in a shell that has some variables."""

    def printed(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        command = click.Command("env", callback=lambda: print_exports({"AWS_REGION": "r"}))
        return CliRunner().invoke(command, []).stdout

    return printed


def test_endpoints_of_single_services_are_unset_because_they_have_precedence(exports):
    others = {"AWS_ENDPOINT_URL_IAM": "http://a", "AWS_ENDPOINT_URL_BEDROCK": "http://b"}
    text = exports(**others)
    shell = f'{text}\n"$0" -c "$1"'
    shown = subprocess.run(
        ["sh", "-ec", shell, sys.executable, SHOW],
        env={**others, "AWS_USE_FIPS_ENDPOINT": "true", "AWS_PROFILE": "work"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "['AWS_REGION']\n"


def test_a_variable_is_named_once(exports):
    names = exports(AWS_ENDPOINT_URL_S3="http://a").splitlines()[0].split()[1:]
    assert names == list(VARIABLES_TO_UNSET)


def test_a_name_that_no_shell_takes_is_not_evaluated(exports):
    names = exports(**{"AWS_ENDPOINT_URL_$(date)": "http://a"}).splitlines()[0].split()[1:]
    assert names == list(VARIABLES_TO_UNSET)
