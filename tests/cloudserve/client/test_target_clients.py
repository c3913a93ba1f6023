"""Clients of targets whose model files are not known: what is sent, and what an answer becomes."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from cloudserve import registry
from cloudserve.client import AsyncClient, Client
from cloudserve.errors import ModelError, RemoteError, UserError
from cloudserve.project import Model, Project, Target
from cloudserve.release.provider import PlatformAnswer
from cloudserve.release.types import Deployed, Revision, State
from cloudserve.savedmodel import read_tree

from .echo import write_echo


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
def test_a_value_that_has_no_json_form_is_refused(client, value):
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


@pytest.fixture
def with_files(platform, monkeypatch, tmp_path):
    """Give a client of a model whose files are here, and its deployed revision of a digest."""
    base = write_echo(tmp_path / "echo", 1)
    sent = []

    def predict(model, body, revision_id=None):
        sent.append(json.loads(body))
        return b'{"predictions": [1.0]}'

    def make(digest):
        revision = Revision(1, digest or read_tree(base / "1").digest)
        platform.deployed = {revision.id: Deployed(revision, State.READY, "")}
        platform.traffic = {revision.id: 1.0}
        platform.predict = predict
        monkeypatch.setattr(registry, "provider", lambda target, environ: platform)
        project = Project(base, {"m": Model("m", base)}, {"t": Target("t", "memory")})
        return Client(project, "m", "t"), sent

    return make


def test_the_projects_files_refuse_what_their_revision_would(with_files):
    client, sent = with_files("")
    with pytest.raises(UserError, match=r"you sent text; `x` takes float32 \[\?\]"):
        client.predict(["a"], signature="float32")
    assert sent == []


def test_another_revision_decides_itself(with_files):
    client, sent = with_files("0" * 64)
    assert client.predict(["a"], signature="float32").array.tolist() == [1.0]
    assert sent == [{"signature_name": "float32", "instances": ["a"]}]


def test_a_valid_payload_reads_nothing_of_the_platform(with_files, platform):
    client, _ = with_files("")
    client.predict([1.0], signature="float32")
    assert platform.readings == 0


def test_an_event_loop_asks_the_same_platform(with_files):
    _, sent = with_files("")

    async def ask():
        project = Project(Path("p"), {"m": Model("m", Path("m"))}, {"t": Target("t", "memory")})
        async with AsyncClient(project, "m", "t", version="1") as other:
            return await other.predict([1.0])

    assert asyncio.run(ask()).array.tolist() == [1.0]
    assert sent == [{"instances": [1.0]}]


class Echo:
    """An endpoint by its own name, which answers with the instances that it got."""

    request_limit = 0

    def __init__(self):
        self.sent = []

    def ask(self, body, version, seconds):
        self.sent.append(json.loads(body)["instances"])
        return PlatformAnswer(json.dumps({"predictions": self.sent[-1]}).encode())


ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/echo"


@pytest.fixture
def endpoint(monkeypatch):
    endpoint = Echo()
    monkeypatch.setattr(registry, "endpoint", lambda *_: endpoint)
    return endpoint


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int8", "uint64", "bool"])
def test_the_files_give_an_endpoints_answers_their_dtypes(endpoint, tmp_path, dtype):
    files = write_echo(tmp_path, 1)
    sent = np.array([1, 0, 1]).astype(dtype)
    with Client(ARN, files=files) as client:
        assert client.predict(sent, signature=dtype).array.dtype == dtype
    answer = asyncio.run(_ask(str(files), sent, dtype))
    assert answer.array.dtype == dtype
    with Client(ARN) as client:
        assert client.predict(sent).array.dtype in (np.float64, np.int64, np.bool_)


async def _ask(files, sent, signature):
    async with AsyncClient(ARN, files=files) as client:
        return await client.predict(sent, signature=signature)


def test_the_files_refuse_a_payload_before_it_is_sent(endpoint, tmp_path):
    with (
        Client(ARN, files=write_echo(tmp_path, 1)) as client,
        pytest.raises(UserError, match=r"`image` takes float32 \[\?,2,2,1\]"),
    ):
        client.predict(np.zeros(3))
    assert endpoint.sent == []


def test_files_that_are_no_model_and_files_of_a_server_are_refused(endpoint, tmp_path):
    with pytest.raises(ModelError):
        Client(ARN, files=tmp_path / "absent")
    with pytest.raises(UserError, match="`files` belong to an endpoint of a cloud"):
        Client("http://localhost:8501/v1/models/m", files=tmp_path)
