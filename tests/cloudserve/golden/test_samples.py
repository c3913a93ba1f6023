"""Sample requests: a real model answers each form alike."""

from __future__ import annotations

import json

import pytest

from cloudserve.cli.errors import run
from cloudserve.golden.samples import sample_requests, to_text
from cloudserve.local.model_run import RunRequest
from cloudserve.registry import local_server
from cloudserve.savedmodel import read_saved_model


def answer(folder, body):
    result = local_server().run_once(folder, RunRequest(body=to_text(body).encode()))
    return json.loads(result.answer)


@pytest.mark.parametrize("model", ["sts_template_app/2", "tfs_half_plus_two_cpu/123"])
def test_rows_and_columns_are_answered_with_the_same_values(shared_models, model):
    folder = shared_models / model
    (sample,) = [
        one
        for one in sample_requests(read_saved_model(folder).signatures)
        if one.signature == "serving_default"
    ]
    rows, columns = answer(folder, sample.rows), answer(folder, sample.columns)
    (row,) = rows["predictions"]
    values = columns["outputs"]
    assert row == ({k: v[0] for k, v in values.items()} if isinstance(row, dict) else values[0])
    assert sample.vertex == {"instances": sample.rows["instances"]}


def test_a_signature_is_named_in_each_form(shared_models):
    samples = sample_requests(read_saved_model(shared_models / "tfs_counter" / "123").signatures)
    (sample,) = [one for one in samples if not one.why_none]
    assert sample.rows["signature_name"] == "incr_counter_by"
    assert sample.columns["signature_name"] == "incr_counter_by"
    assert sample.vertex["parameters"] == {"signature_name": "incr_counter_by"}


def test_the_command_says_why_there_is_no_request(shared_models, capsys):
    assert run(["inspect", str(shared_models / "tfs_counter"), "--requests"]) == 0
    out = capsys.readouterr().out
    assert "  no request: it has no inputs" in out
    assert "http://localhost:8501/v1/models/tfs_counter:predict" in out
