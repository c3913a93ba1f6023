"""Warm-up files made of golden files, read by this server and by TensorFlow's own reader."""

import json
import shutil
import subprocess
import sys

import pytest

from cloudserve.cli.errors import run
from cloudserve.errors import UserError
from cloudserve.golden.warmup import WARMUP_FILE, write_warmup

HEADER = '{"golden": 1}'
READ = """
import sys, json
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
requests = []
for record in tf.data.TFRecordDataset(sys.argv[1]):
    log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
    request = log.predict_log.request
    arrays = {name: tf.make_ndarray(tensor).tolist() for name, tensor in request.inputs.items()}
    requests.append([request.model_spec.signature_name, arrays])
print(json.dumps(requests))
"""


@pytest.fixture
def model(tmp_path, shared_models):
    """Give a copy of a real model."""
    source = shared_models / "tfs_half_plus_two_2v" / "123"
    return shutil.copytree(source, tmp_path / "half" / "123", copy_function=shutil.copyfile)


def golden(path, *requests):
    lines = [json.dumps({"request": request, "answer": {}}) for request in requests]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_the_records_are_what_tensorflow_serving_reads(tmp_path, model, capsys):
    requests = ({"instances": [1.0, 2.0]}, {"signature_name": "serving_default", "inputs": [3.5]})
    output = model / WARMUP_FILE
    file = str(golden(tmp_path / "g", *requests))
    assert run(["golden", "warmup", file, "--out", str(output)]) == 0
    assert capsys.readouterr().err == f"wrote {output}: 2 warm-up requests\n"
    read = subprocess.run(
        [sys.executable, "-c", READ, str(output)], capture_output=True, text=True, check=True
    )
    assert json.loads(read.stdout) == [
        ["serving_default", {"x": [1.0, 2.0]}],
        ["serving_default", {"x": [3.5]}],
    ]


def test_this_server_runs_them(tmp_path, model):
    from cloudserve.local_server.runtime.session import load_model
    from cloudserve.local_server.warmup.replay import Replay

    file = golden(tmp_path / "g", {"instances": [1.0]}, {"instances": [2.0]})
    write_warmup(file, model / WARMUP_FILE)
    loaded = load_model(model)
    try:
        replay = Replay(loaded)
        replay.run(model / WARMUP_FILE)
        assert replay.count == 2
    finally:
        loaded.close()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"instances": ["a"]}, "the request does not fit the model: "),
        ({"instances": [1.0], "signature_name": "other"}, "the model has no signature 'other'"),
        ({"rows": [1.0]}, "Missing 'inputs' or 'instances' key"),
    ],
)
def test_a_request_that_does_not_fit_is_named_and_nothing_is_written(
    tmp_path, model, request_, message
):
    path = golden(tmp_path / "g", {"instances": [1.0]}, request_)
    with pytest.raises(UserError, match=message) as caught:
        write_warmup(path, model / WARMUP_FILE)
    assert caught.value.where == f"{path}, example 2"
    assert not (model / WARMUP_FILE).exists()


def test_another_place_and_too_many_requests_are_refused(tmp_path, model):
    path = golden(tmp_path / "g", *({"instances": [1.0]} for _ in range(1001)))
    with pytest.raises(UserError, match="does not look for warm-up requests"):
        write_warmup(path, tmp_path / "requests")
    with pytest.raises(UserError, match="1,001 requests are too many"):
        write_warmup(path, model / WARMUP_FILE)
