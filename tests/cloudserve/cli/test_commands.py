"""The command line from outside: its output on stdout and stderr, and its exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from cloudserve.cli.command_tree import COMMANDS, cli
from cloudserve.cli.errors import run
from cloudserve.errors import RemoteError
from cloudserve.savedmodel import proto
from tests.cloudserve.messages import built

HEAVY = {"tensorflow", "numpy", "boto3", "botocore", "googleapiclient", "google", "grpc", "yaml"}

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))


def on_target(command, *arguments):
    return run([command, "half", "--target", "here", *arguments])


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_imports_no_heavy_library(command):
    code = (
        # Modules that are loaded at the start come from a `.pth` file of an installed package.
        "import sys; before = set(sys.modules);"
        "from cloudserve.cli.errors import run; run(sys.argv[1:] + ['--help']);"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(loaded), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    )
    assert "usage: cloudserve" in done.stdout.lower()
    assert not HEAVY & set(json.loads(done.stderr.replace("'", '"')))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_list_shows_each_commands_first_help_line(name):
    command = cli.get_command(None, name)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name][1]


def test_the_version_option_prints_the_packages_version(capsys):
    from cloudserve import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"cloudserve {__version__}\n"


def test_deploy_prints_progress_on_stderr_and_the_result_on_stdout(project, capsys):
    assert on_target("deploy", "--version", "v123") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("half v123-")
    assert lines[0].endswith("on here: deployed, live")
    assert lines[1].split() == ["REVISION", "STATE", "TRAFFIC", "CREATED"]
    first, gate, upload, *_ = err.splitlines()
    assert first == "memory · offline http://127.0.0.1:8900"
    assert gate.startswith("gate load: passed, no objection to the ")
    assert upload.startswith("upload ")


def test_deploying_again_has_nothing_to_do(project, capsys):
    on_target("deploy")
    capsys.readouterr()
    assert on_target("deploy") == 0
    out, err = capsys.readouterr()
    assert "is already deployed, nothing to do" in out
    assert err == "memory · offline http://127.0.0.1:8900\n"


def test_json_output_contains_the_same_facts(project, capsys):
    on_target("deploy", "--version", "123")
    capsys.readouterr()
    assert on_target("status", "--output", "json") == 0
    status = json.loads(capsys.readouterr().out)
    assert [(r["number"], r["traffic"], r["state"]) for r in status["revisions"]] == [
        (123, 1.0, "ready")
    ]
    assert on_target("history", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)[0]["who"] == "ada"


def test_a_release_from_deploy_to_rollback(project, capsys):
    for command in (
        ["deploy", "--version", "123"],
        ["deploy"],
        ["promote"],
        ["rollback"],
        ["history"],
    ):
        assert on_target(*command) == 0
    out = capsys.readouterr().out
    assert "half on here: 4 releases" in out
    assert [line.split()[3] for line in out.splitlines()[-4:]] == [
        "deploy",
        "deploy",
        "promote",
        "rollback",
    ]


def test_a_model_is_undeployed(project, capsys):
    first = released(capsys, "--version", "123")
    second = released(capsys)
    assert on_target("undeploy", "--version", "123") == 5
    assert f"error: {first} has traffic\n" in capsys.readouterr().err
    assert on_target("undeploy", "--version", "124", "--dry-run") == 0
    assert capsys.readouterr().out == (
        f"undeploy half {second} from here: 1 step; {first} is live, nothing was changed; "
        "the files and the ledger stay in mem://bucket/cloudserve/half/\n"
        f"STEP     WHAT IT DOES\n   1  -  remove {second}\n"
    )
    assert on_target("undeploy", "--version", "124") == 0
    assert capsys.readouterr().out.startswith(f"half {second} on here: undeployed; the files and")
    assert on_target("undeploy", "--version", "124") == 0
    assert capsys.readouterr().out.startswith(
        f"half {second} on here: not deployed, nothing to do\n"
    )
    assert run(["plan", "undeploy", "half", "-t", "here", "--all", "--exit-code"]) == 10
    assert capsys.readouterr().out.startswith("undeploy half from here: 2 steps; ")
    assert on_target("undeploy", "--all", "--output", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["revision"], result["removes"], result["everything"]) == (first, [first], True)
    assert result["kept"] == "mem://bucket/cloudserve/half/"
    assert on_target("undeploy", "--all") == 0
    assert capsys.readouterr().out == "half on here: not deployed, nothing to do\n"
    assert on_target("history") == 0
    assert "undeploy all" in capsys.readouterr().out


def released(capsys, *arguments):
    assert on_target("deploy", *arguments, "--output", "json") == 0
    return json.loads(capsys.readouterr().out)["revision"]


def test_help_is_printed_without_a_command(capsys):
    assert run([]) == 2
    assert "\nRelease:\n  plan " in capsys.readouterr().err


def test_inspect_shows_signatures_size_and_digest_without_tensorflow(shared_models):
    code = (
        "import sys; from cloudserve.cli.errors import run; code = run(sys.argv[1:]);"
        "assert not {'tensorflow', 'numpy'} & set(sys.modules); sys.exit(code)"
    )
    path = str(shared_models / "tfs_half_plus_two_tf2")
    done = subprocess.run(
        [sys.executable, "-c", code, "inspect", path], capture_output=True, text=True, check=True
    )
    assert "signature serving_default (predict)" in done.stdout
    assert "digest      sha256:" in done.stdout


def test_inspect_accepts_a_model_of_the_project(project, capsys):
    assert run(["inspect", "half", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 124


def test_inspect_shows_unrestored_variables_and_exits_with_3(tmp_path, capsys):
    nodes = [
        {"name": "v", "op": "VarHandleOp"},
        {"name": "y", "op": "ReadVariableOp", "input": ["v"]},
    ]
    graph = {"meta_info_def": {"tags": ["serve"]}, "graph_def": {"node": nodes}}
    graph["signature_def"] = {"serving_default": {"outputs": {"y": {"name": "y:0"}}}}
    model = built(proto.SavedModel(), {"meta_graphs": [graph]})
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    assert run(["inspect", str(tmp_path), "--output", "json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["unrestored"] == ["v"]
    assert "Could not find variable v" in err
    assert "model.export(" in err


def test_inspect_reports_a_model_without_signatures(tmp_path, capsys):
    model = proto.SavedModel(meta_graphs=[{"meta_info_def": {"tags": ["serve"]}}])
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    assert run(["inspect", str(tmp_path)]) == 0
    assert "none: the model cannot answer requests" in capsys.readouterr().out


def test_inspect_of_a_missing_path_is_a_usage_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["inspect", "half"]) == 2
    assert "`half` does not exist, and there is no project file" in capsys.readouterr().err


def test_inspect_of_an_unknown_name_mentions_directory_and_project(project, capsys):
    assert run(["inspect", "hlaf"]) == 2
    err = capsys.readouterr().err
    assert "`hlaf` does not exist, and the project has no model of that name" in err
    assert "to do: did you mean `half`?" in err


@pytest.mark.parametrize("command", ["status", "history"])
def test_an_empty_result_is_printed(project, capsys, command):
    assert on_target(command) == 0
    assert "half on here: nothing " in capsys.readouterr().out
    assert on_target(command, "--output", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result if command == "history" else result["revisions"]) == []


def test_history_shows_the_last_releases_and_mentions_earlier_ones(project, capsys):
    for command in (["deploy", "--version", "123"], ["deploy"], ["promote"]):
        on_target(*command)
    capsys.readouterr()
    on_target("history", "--limit", "2")
    title, _, *rows = capsys.readouterr().out.splitlines()
    assert title == "half on here: the last 2 releases, --limit 0 shows all"
    assert [row.split()[3] for row in rows] == ["deploy", "promote"]
    on_target("history", "--limit", "0")
    assert capsys.readouterr().out.startswith("half on here: 3 releases\n")


def test_an_unfinished_release_is_shown_with_its_completed_steps(project, platform, capsys):
    def killed(key):
        if "/ledger/" in key and len([k for k in platform.blobs.objects if "/ledger/" in k]) == 3:
            raise RemoteError("the network is down")

    platform.blobs.before_write = killed
    assert on_target("deploy") == 4
    capsys.readouterr()
    on_target("history")
    assert "  unfinished, 1 step done\n" in capsys.readouterr().out


def completed(*arguments, begun=""):
    shell = ShellComplete(cli, {}, "cloudserve", "_CLOUDSERVE_COMPLETE")
    return [item.value for item in shell.get_completions([*arguments], begun)]


def test_shell_completion_of_commands_options_and_names(project):
    assert completed(begun="de") == ["deploy"]
    assert completed("deploy", begun="--ver") == ["--version"]
    assert completed("deploy", begun="h") == ["half"]
    assert completed("promote", "half", "--target") == ["here"]
    assert completed("status", "--project", "nowhere.yaml", begun="h") == []


def test_one_release_is_counted_in_the_singular(project, capsys):
    on_target("deploy")
    on_target("history")
    assert "half on here: 1 release\n" in capsys.readouterr().out


def test_a_promotion_without_a_previous_live_revision_says_so(project, platform, capsys):
    on_target("deploy", "--version", "123")
    platform.traffic = {}
    assert on_target("promote") == 0
    assert capsys.readouterr().out.splitlines()[-3].endswith(": live, was nothing")


@pytest.mark.parametrize(
    ("output", "printed"),
    [
        ("json", '{"predictions": [{"a": 1.5, "b": "x"}, {"a": [2]}]}\n'),
        ("table", "a    b\n1.5  x\n[2]  null\n"),
    ],
)
def test_predict_prints_the_response_unchanged_or_one_line_per_prediction(
    project, platform, capsys, output, printed
):
    platform.predict = lambda model, body, revision_id=None: (
        b'{"predictions": [{"a": 1.5, "b": "x"}, {"a": [2]}]}'
    )
    (project / "request").write_text('{"instances": [1, 2]}')
    assert on_target("predict", "--input", "request", "-o", output) == 0
    assert capsys.readouterr().out == printed


def test_init_writes_a_project_file_that_loads(tmp_path, monkeypatch, shared_models, capsys):
    model = tmp_path / "models" / "my model"
    model.mkdir(parents=True)
    (model / "1").symlink_to(shared_models / "tfs_half_plus_two_2v" / "124")
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert run(["inspect", "my-model"]) == 0
    assert run(["init"]) == 5
    assert "cloudserve.yaml already exists" in capsys.readouterr().err
    assert run(["init", "--force", "--target", "aws", "-t", "gcp"]) == 0
    assert "  cloudserve deploy my-model --target aws  # " in capsys.readouterr().err


def test_init_without_a_model_hints_at_an_export(tmp_path, capsys):
    assert run(["init", str(tmp_path)]) == 2
    assert "there is no SavedModel in this folder" in capsys.readouterr().err


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "cloudserve", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("cloudserve ")
