"""Every command has its result, and every error, as JSON, YAML and JSON lines too.

The commands are those of the command line's tree, so that a new one is judged as well.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import click
import pytest
import yaml

from cloudserve.cli.command_tree import cli
from cloudserve.cli.commands.release.logs import _print_all, _yaml
from cloudserve.cli.errors import run
from cloudserve.cli.render.formats import FOR_PROGRAMS
from cloudserve.logs.contract import LogLine

SERVERS = ("serve", "model-server", "emulate")
"""Commands that run until they are stopped and have a log instead of a result."""
FOREIGN = "model-server"
"""Its flags are those of tensorflow_model_server."""


def commands(command=cli, words=()):
    """Yield each command that can run, with its words."""
    inner = getattr(command, "commands", {}) or {}
    if command is cli:
        context = click.Context(cli)
        inner = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    if not isinstance(command, click.Group):
        yield " ".join(words), command
    for name, each in inner.items():
        yield from commands(each, (*words, name))


COMMANDS = dict(commands())
WITH_RESULT = [name for name in COMMANDS if name not in SERVERS]


def option(command, flag):
    return next((each for each in command.params if flag in each.opts), None)


@pytest.mark.parametrize("name", WITH_RESULT)
def test_a_command_with_a_result_has_it_in_each_format(name):
    chosen = option(COMMANDS[name], "-o")
    assert chosen is not None
    assert "--output" in chosen.opts
    assert chosen.envvar == "CLOUDSERVE_OUTPUT"
    # `github` is the variable in the pipeline of `ci init`, for all commands of a job.
    assert {*FOR_PROGRAMS, "table", "github"} <= set(chosen.type.choices)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != FOREIGN])
def test_a_command_can_be_quiet_and_verbose(name):
    missing = [flag for flag in ("-q", "-v", "--debug") if option(COMMANDS[name], flag) is None]
    assert missing == []


@pytest.mark.parametrize("output", FOR_PROGRAMS)
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != FOREIGN])
def test_an_error_is_an_object_on_standard_error_then(capsys, name, output):
    assert run([*name.split(), "-o", output, "--no-such-option"]) == 2
    out, err = capsys.readouterr()
    error = json.loads(err.splitlines()[-1])["error"]
    assert yaml.safe_load(err) == {"error": error}
    assert (out, error["exit_code"]) == ("", 2)
    assert error["message"].lower().startswith("no such option")


@pytest.mark.parametrize("output", FOR_PROGRAMS)
@pytest.mark.parametrize("name", [name for name in SERVERS if name != FOREIGN])
def test_a_server_has_no_result_and_says_so(capsys, name, output, tmp_path):
    assert run([name, "-o", output, str(tmp_path)]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert "-o" in error["message"]
    assert error["where"] == f"cloudserve {name}"


REQUESTS = '{"instances": [1.0]}\n{"instances": [2.0]}\n'
WARMUP = "models/1/assets.extra/tf_serving_warmup_requests"
TARGET = """\
  aws:
    provider: sagemaker
    bucket: s3://models
    role_arn: arn:aws:iam::000000000000:role/models
    region: eu-west-1
"""
RESULTS = {
    "init": ("init models --force", {"path", "models", "targets"}),
    "ci init": ("ci init gitlab half -t aws --project ci.yaml --force", {"path", "system"}),
    "golden record": (
        "golden record requests.jsonl --from half@here --out new.jsonl",
        {"path", "examples"},
    ),
    "golden trim": ("golden trim golden.jsonl --most 1 --out less.jsonl", {"path", "examples"}),
    "golden warmup": (f"golden warmup golden.jsonl --out {WARMUP}", {"path", "requests"}),
    "golden show": ("golden show golden.jsonl", None),
    "metrics alerts": ("metrics alerts", {"groups"}),
    "metrics dashboard": ("metrics dashboard", None),
    "metrics alerts, into a file": ("metrics alerts --force --out alerts.yml", {"path"}),
    "emulate stop": ("emulate stop --data .", {"data", "stopped"}),
    "inspect": ("inspect half", None),
    "check": ("check half", None),
    "plan": ("plan deploy half", None),
    "status": ("status half", None),
    "status of all": ("status", None),
    "history": ("history half", None),
    "predict": ("predict half --input requests.json", {"predictions"}),
}
"""Lines that can be run again, and the fields of their documents that are promised here."""


@pytest.fixture
def answering(project, platform, capsys, shared_models):
    """The project with a deployed model that answers, and golden files."""
    platform.predict = lambda *_: b'{"predictions": [2.5, 3.0]}'
    (project / "ci.yaml").write_text((project / "cloudserve.yaml").read_text() + TARGET)
    model = shared_models / "tfs_half_plus_two_2v" / "123"
    shutil.copytree(model, project / "models" / "1", copy_function=shutil.copyfile)
    (project / WARMUP).parent.mkdir()
    (project / "requests.jsonl").write_text(REQUESTS)
    (project / "requests.json").write_text('{"instances": [1.0, 2.0]}')
    assert run(["deploy", "half", "-q"]) == 0
    record = "golden record requests.jsonl --from half@here --out golden.jsonl"
    assert run(record.split()) == 0
    capsys.readouterr()
    return project


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_the_same_document_in_each_format(capsys, name):
    line, fields = RESULTS[name]
    printed = {}
    for output in FOR_PROGRAMS:
        assert run([*line.split(), "-o", output]) == 0, capsys.readouterr().err
        printed[output] = capsys.readouterr().out
    document = json.loads(printed["json"])
    assert yaml.safe_load(printed["yaml"]) == document
    read = [json.loads(one) for one in printed["ndjson"].splitlines()]
    assert read == (document if isinstance(document, list) else [document])
    if fields is not None:
        assert fields <= set(document)


def test_lines_of_a_log_are_items_of_a_list_in_yaml(capsys):
    time = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    lines = [LogLine(time, "v1/i-1", text, str(n)) for n, text in enumerate(("a: [b", "- 2\n3"))]
    _print_all(lines, _yaml)
    read = yaml.safe_load(capsys.readouterr().out)
    assert [one["text"] for one in read] == ["a: [b", "- 2\n3"]
    assert {*read[0]} == {"time", "source", "text", "id", "severity"}
