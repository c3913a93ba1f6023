"""`cloudserve tune` from outside: files, documents and exit codes, with the real server."""

import json
import re

import pytest
from cloudserve.local_server.batching import read_parameters

from cloudserve.cli.errors import run

QUICK = ("--duration", "0.2", "--max-batch-size", "4")


@pytest.fixture(scope="module")
def half(shared_models):
    return str(shared_models / "tfs_half_plus_two_cpu")


@pytest.mark.slow  # twelve seconds of load
def test_a_met_objective_writes_files_that_the_server_accepts(half, tmp_path, capsys):
    into = tmp_path / "tuned"
    assert run(["tune", half, "--p99", "60s", "--rate", "100", *QUICK, "--into", str(into)]) == 0
    out, err = capsys.readouterr()
    verified = [line.split("  ")[0] for line in out.splitlines() if line.endswith(" met")]
    chosen = "with the parameters" if "--enable_batching" in out else "unbatched"
    assert verified == ["model-server, open loop", "serve, by itself", f"serve, {chosen}"]
    assert re.search(r"^calls from \d+ threads?, 1 per operation$", out, re.MULTILINE)
    variables = dict(line.split("=", 1) for line in (into / "sagemaker.env").read_text().split())
    if variables["SAGEMAKER_TFS_ENABLE_BATCHING"] == "true":
        parameters = read_parameters(into / "batching.config")
        assert variables["SAGEMAKER_TFS_MAX_BATCH_SIZE"] == str(parameters.max_batch_size)
        assert "--enable_batching" in out
    else:
        assert "batching does not pay" in out
        assert not (into / "batching.config").exists()
    assert (into / "tuning.html").read_text().startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["tuned"]
    assert err.splitlines()[-1].startswith("wrote ")


@pytest.mark.slow  # the choice itself is tested without a server
def test_an_objective_that_cannot_be_met_exits_with_6_and_the_best_figure(half, capsys):
    assert run(["tune", half, "--p99", "1us", "--rate", "100", *QUICK, "-o", "json"]) == 6
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["rate"] is None
    assert [trial["met"] for trial in document["trials"]] == [False]
    assert document["serve"] == []
    assert document["curves"][0]["costs"][0]["rows"] == 1
    message = json.loads(err.splitlines()[-1])["error"]["message"]
    best = r"a 99th percentile of 0.001 ms was not met: the best was \d+\.\d ms, at \d+ answers"
    assert re.match(best, message)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--p99", "fast"], 2, "`fast` is not a time such as 50ms"),
        (["--p99", "0ms"], 2, "`0ms` is not a time such as 50ms"),
        ([], 2, "missing option '--p99'"),
        (["--p99", "1s", "--signature", "hare"], 2, "the model has no signature 'hare'"),
        (["--p99", "1s", "--signature", "regress_x_to_y"], 2, "takes Examples"),
        (["--p99", "1s", "--into", "."], 5, ". already exists"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(half, arguments, code, message, capsys):
    assert run(["tune", half, *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_signature_without_open_rows_cannot_be_batched(shared_models, tmp_path, capsys):
    from cloudserve.savedmodel import proto

    source = shared_models / "tfs_half_plus_two_cpu" / "123" / "saved_model.pb"
    message = proto.SavedModel.FromString(source.read_bytes())
    info = message.meta_graphs[0].signature_def["serving_default"].inputs["x"]
    info.tensor_shape.dim[0].size = 3
    (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    variables = source.parent / "variables"
    (tmp_path / "variables").symlink_to(variables)
    assert run(["tune", str(tmp_path), "--p99", "1s"]) == 2
    assert "cannot be batched: an input is float32[3" in capsys.readouterr().err
