"""A bad model is one error of every command that reads models, and nothing is written of it."""

import shutil

import pytest

from cloudserve.cli.errors import run
from cloudserve.savedmodel import proto

COMMANDS = {
    "inspect": ("inspect", "{model}"),
    "check": ("check", "{model}"),
    "run": ("run", "{model}", "--input", "x=[1.0]", "--outdir", "out"),
    "repair": ("repair", "{model}", "out", "--clear-devices"),
    "export": ("export", "{model}", "out"),
}


def cut(model):
    graph = model / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-100])


def cut_variables(model):
    (shard,) = model.glob("variables/variables.data-*")
    shard.write_bytes(shard.read_bytes()[:-1])


def make_large(model):
    with (model / "saved_model.pb").open("ab") as file:
        file.truncate(3 * 2**30)  # without blocks


def make_cycle(model):
    graph = model / "saved_model.pb"
    message = proto.parse(proto.SavedModel, graph.read_bytes())
    node = next(node for node in message.meta_graphs[0].graph_def.node if node.input)
    node.input[0] = node.name
    graph.write_bytes(message.SerializeToString())


def link_to_itself(model):
    graph = model / "saved_model.pb"
    graph.unlink()
    graph.symlink_to("saved_model.pb")


FAULTS = {
    "cut": cut,
    "variables cut": cut_variables,
    "3 GB": make_large,
    "cycle": make_cycle,
    "link to itself": link_to_itself,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_model_is_one_error(shared_models, tmp_path, monkeypatch, capsys, command, fault):
    model = tmp_path / "half" / "123"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", model)
    (model / "saved_model.pb").chmod(0o644)
    FAULTS[fault](model)
    monkeypatch.chdir(tmp_path)
    status = run([part.format(model=model) for part in COMMANDS[command]])
    shown = capsys.readouterr()
    if (command, fault) == ("inspect", "cycle"):  # it shows what is in the file
        assert status == 0
        return
    assert status in {2, 3}
    errors = [line for line in shown.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, shown.err
    assert "Traceback" not in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["half"]
