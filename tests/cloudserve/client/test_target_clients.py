"""Clients of targets whose model files are not known: what is sent, and what an answer becomes."""

import json
from pathlib import Path

import numpy as np
import pytest

from cloudserve import registry
from cloudserve.client import Client
from cloudserve.errors import RemoteError, UserError
from cloudserve.project import Model, Project, Target


@pytest.fixture
def client(platform, monkeypatch):
    """Give a client of a platform that answers with the instances it got, and keeps them."""
    platform.sent = []

    def predict(model, body, revision_id=None):
        platform.sent.append(json.loads(body)["instances"])
        return json.dumps({"predictions": platform.sent[-1]}).encode()

    platform.predict = predict
    monkeypatch.setattr(registry, "provider", lambda target, environ: platform)
    project = Project(Path("p"), {"m": Model("m", Path("m"))}, {"t": Target("t", "memory")})
    return Client(project, "m", "t")


@pytest.mark.parametrize(
    ("instances", "sent"),
    [
        (np.array([[1.5, 2.0]], "float32"), [[1.5, 2.0]]),
        ([np.array([1.5]), np.float32(2.5), np.int64(3)], [[1.5], 2.5, 3]),
        (((1, 2), (3, 4)), [[1, 2], [3, 4]]),
        ([b"\xff\x00"], [{"b64": "/wA="}]),
        (np.array([b"ab"]), [{"b64": "YWI="}]),
        ([{"x": np.array([1]), "image": b"a"}], [{"x": [1], "image": {"b64": "YQ=="}}]),
        (["text", None, True], ["text", None, True]),
        ({"x": [1, 2], "y": ["a", "b"]}, [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]),
    ],
)
def test_instances_go_as_json(client, platform, instances, sent):
    client.predict(instances)
    assert platform.sent == [sent]


def test_nan_and_infinity_go_as_tensorflow_serving_writes_them(client):
    answer = client.predict([float("nan"), float("-inf")])
    assert str(answer.predictions) == "[nan, -inf]"


def test_an_empty_batch_is_refused(client, platform):
    with pytest.raises(UserError, match="the batch is empty"):
        client.predict([])
    assert platform.sent == []


@pytest.mark.parametrize(
    ("instances", "outputs"),
    [
        ([1.5, 2.5], {"predictions": [1.5, 2.5]}),
        (["a", b"\xff"], {"predictions": [b"a", b"\xff"]}),
        ([{"a": 1, "b": [2, 3]}], {"a": [1], "b": [[2, 3]]}),
        ([[1], [1, 2]], {"predictions": [[1], [1, 2]]}),
    ],
)
def test_answers_become_arrays(client, instances, outputs):
    answer = client.predict(instances)
    assert {name: array.tolist() for name, array in answer.outputs.items()} == outputs


@pytest.mark.parametrize(
    "instances",
    [(n for n in [1]), {"x": 1}, {"x": "ab"}, "text", b"bytes", 5, np.float32(1), None, {1, 2}],
)
def test_instances_that_are_not_a_list_are_refused(client, instances):
    with pytest.raises(UserError, match="must be a list or an array"):
        client.predict(instances)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, {(1, 2): 3}])
def test_what_json_cannot_hold_is_refused(client, value):
    with pytest.raises(UserError, match="cannot be sent as JSON"):
        client.predict([value])


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b'{"predictions": 1}', b"", b"\xff", b"{}"])
def test_an_answer_without_predictions_is_the_services_failure(client, platform, answer):
    platform.predict = lambda model, body, revision_id=None: answer
    with pytest.raises(RemoteError):
        client.predict([1.0])


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            RemoteError("no such model", status=404),
            "deploy it first: cloudserve deploy m --target t",
        ),
        (RemoteError("not a float", status=400), "`cloudserve inspect m` shows the inputs"),
        (RemoteError("busy", status=503, retryable=True), "run the same command again"),
        (RemoteError("quota", hint="ask for more"), "ask for more"),
    ],
)
def test_a_refusal_says_what_to_do(client, platform, error, hint):
    def refuse(model, body, revision_id=None):
        raise error

    platform.predict = refuse
    with pytest.raises(RemoteError) as caught:
        client.predict([1.0])
    assert caught.value.hint.startswith(hint)
