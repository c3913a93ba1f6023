"""The client: what it takes as instances, and what it makes of an answer."""

import json
from pathlib import Path

import numpy as np
import pytest

from cloudserve import registry
from cloudserve.errors import RemoteError, UserError
from cloudserve.predict import Client
from cloudserve.project import Model, Project, Target


@pytest.fixture
def client(platform, monkeypatch):
    """Give a client of a platform that answers with the instances it got."""
    platform.predict = lambda model, body, revision_id=None: json.dumps(
        {"predictions": json.loads(body)["instances"]}
    ).encode()
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
        ([], []),
    ],
)
def test_instances_go_as_json(client, instances, sent):
    assert client.predict(instances) == sent


def test_nan_and_infinity_go_as_tensorflow_serving_writes_them(client):
    answer = client.predict([float("nan"), float("-inf")])
    assert str(answer) == "[nan, -inf]"


@pytest.mark.parametrize(
    "instances",
    [(n for n in [1]), {"x": 1}, "text", b"bytes", 5, np.float32(1), None, {1, 2}],
)
def test_instances_that_are_not_a_list_are_refused(client, instances):
    with pytest.raises(UserError, match="must be a list or an array"):
        client.predict(instances)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, {(1, 2): 3}])
def test_what_json_cannot_hold_is_refused(client, value):
    with pytest.raises(UserError, match="cannot be sent as JSON"):
        client.predict([value])


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b'{"predictions": 1}', b"", b"\xff"])
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
