"""The client on every kind of target of the offline clouds: the same payloads, the same answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import boto3
import google.auth
import numpy as np
import pytest
from google.auth.transport.requests import AuthorizedSession

import cloudserve
from cloudserve.errors import RemoteError, UserError
from cloudserve.project import Model, Project, Target
from cloudserve.release.calling import call_example
from tests.cloudserve.client.echo import write_echo

IMAGES = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)
ROLE = "arn:aws:iam::000000000000:role/serving"
AWS = {
    "region": "us-east-1",
    "role_arn": ROLE,
    "image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu",
    "timeout_seconds": 60,
}
VERTEX = {
    "region": "us-central1",
    "project": "clients",
    "image": "us-docker.pkg.dev/rehearsal/serving/tensorflow-serving:2.19",
}
TARGETS = {
    "sagemaker": Target("sagemaker", "sagemaker", AWS),
    "multi-model": Target("multi-model", "sagemaker", {**AWS, "multi_model": "all"}),
    "async": Target("async", "sagemaker", {**AWS, "async_output": "s3://clients-aws/async"}),
    "vertex": Target("vertex", "vertex", VERTEX),
    "dedicated": Target("dedicated", "vertex", {**VERTEX, "dedicated_endpoint": True}),
    "ai-platform": Target("ai-platform", "ai-platform", {"project": "clients"}),
}
AGAIN = ("multi-model", "async", "dedicated")
"""Further kinds of targets of the same platforms, whose models have names of their own."""
SLOW = (*AGAIN, "ai-platform")
KINDS = [pytest.param(k, marks=[pytest.mark.slow] if k in SLOW else []) for k in TARGETS]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_echo(tmp_path_factory.mktemp("models") / "echo", 1)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def client(deployed, kind, clouds):
    """Give a client of version 1 of the echo model."""
    project, name = deployed
    return cloudserve.Client(project, name, kind, environ=clouds)


@pytest.fixture(scope="module")
def deployed(kind, clouds, models):
    """Give the project of a deployed echo model, and the model's name."""
    target = TARGETS[kind]
    scheme = "s3://clients-aws" if target.provider == "sagemaker" else "gs://clients-gcs"
    fields = {**target.fields, "bucket": scheme}
    place = Target(target.name, target.provider, fields)
    name = f"echo-{kind}" if kind in AGAIN else "echo"
    project = Project(models, {name: Model(name, models)}, {kind: place})
    cloudserve.deploy(project, name, kind, environ=clouds)
    return project, name


TABLE = [
    ("serving_default", IMAGES, {"image_out": IMAGES}),
    (
        "pair",
        [{"number": 1, "text": "ä"}, {"number": 2.5, "text": b"\xff"}],
        {"number_out": np.float32([1, 2.5]), "text_out": ["ä".encode(), b"\xff"]},
    ),
    (
        "float32",
        [float("nan"), float("inf")],
        {"x_out": np.float32([np.nan, np.inf])},
    ),
    ("int64", [-(2**63), 2**63 - 1], {"x_out": np.array([-(2**63), 2**63 - 1])}),
    ("bool", [True, False], {"x_out": np.array([True, False])}),
    ("string", [b"\x00", ""], {"x_out": [b"\x00", b""]}),
]
IDS = ["image", "pair", "nan", "int64", "bool", "string"]


@pytest.mark.parametrize(("signature", "inputs", "expected"), TABLE, ids=IDS)
def test_every_target_answers_alike(client, kind, signature, inputs, expected):
    answer = client.predict(inputs, signature=signature)
    assert answer.outputs.keys() == expected.keys()
    for name, values in expected.items():
        wanted = values if isinstance(values, np.ndarray) else np.array(values, object)
        assert answer.outputs[name].dtype == wanted.dtype
        np.testing.assert_array_equal(answer.outputs[name], wanted)
    # AI Platform's and asynchronous answers do not name what answered.
    assert kind in {"ai-platform", "async"} or answer.version.startswith("v1-")


@pytest.fixture
def names(kind, deployed, clouds):
    """Give the own names of the endpoint, as the platform writes them."""
    project, name = deployed
    if kind == "sagemaker":
        arn = call_example(project, name, kind, clouds).resource
        url = f"https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/{name}/invocations"
        return [arn, url]
    if kind == "ai-platform":
        url = f"https://ml.googleapis.com/v1/projects/clients/models/{name}:predict"
        return [f"projects/clients/models/{name}", url]
    if kind in {"vertex", "dedicated"}:
        full = f"projects/clients/locations/us-central1/endpoints/{name}"
        return [full, call_example(project, name, kind, clouds).resource]
    pytest.skip("its endpoint is asked by its target")


@pytest.mark.parametrize(("signature", "inputs", "expected"), TABLE, ids=IDS)
def test_the_own_names_of_an_endpoint_answer_alike(
    names, clouds, kind, signature, inputs, expected
):
    for name in names:
        client = cloudserve.Client(name, environ=clouds)
        assert client.destination.is_offline
        answer = client.predict(inputs, signature=signature)
        for output, values in zip(answer.outputs.values(), expected.values(), strict=True):
            # Without a signature, the types are those of JSON: texts are str where they can be.
            got = [one.encode() if isinstance(one, str) else one for one in output.tolist()]
            wanted = values.tolist() if isinstance(values, np.ndarray) else values
            np.testing.assert_array_equal(np.array(got), np.array(wanted))


def test_the_own_name_has_the_limit_and_the_errors_of_its_platform(names, clouds, kind):
    client = cloudserve.Client(names[0], environ=clouds)
    inputs = np.arange(240_000, dtype=np.float64) + 1 / 3
    answer = client.predict(inputs, signature="float64")
    np.testing.assert_array_equal(answer.array, inputs)
    assert (answer.requests > 1) == (kind in {"vertex", "ai-platform"})
    with pytest.raises(RemoteError, match="predict: "):
        client.predict([{"y": 1.0}], signature="float32")
    other = cloudserve.Client(names[0].replace("echo", "nothing"), environ=clouds)
    with pytest.raises(RemoteError):
        other.predict([1.0], signature="float32")
    if kind == "vertex":
        with pytest.raises(UserError, match="does not let a request choose"):
            client.predict([1.0], signature="float32", version="7")


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("serving_default", [], "the batch is empty"),
        ("serving_default", np.zeros(8), r"you sent 8 numbers; `image` takes float32 \[\?,2,2,1\]"),
        ("float32", {"y": [1.0]}, "`y` is not an input"),
        ("none", [1.0], "the model has no signature `none`"),
    ],
)
def test_every_target_explains_alike(client, signature, inputs, message):
    with pytest.raises(UserError, match=message):
        client.predict(inputs, signature=signature)


def test_a_batch_beyond_the_limit_is_sent_in_parts(client, kind):
    inputs = np.arange(240_000, dtype=np.float64) + 1 / 3
    answer = client.predict(inputs, signature="float64")
    np.testing.assert_array_equal(answer.array, inputs)
    expected = {"vertex": 3, "ai-platform": 3}
    assert answer.requests == expected.get(kind, 1)


def test_a_row_beyond_the_limit_is_refused(client, kind):
    if kind not in {"vertex", "ai-platform"}:
        pytest.skip("its limit is larger")
    with pytest.raises(
        UserError, match=r"the request of one row has 1,6\d\d,\d\d\d bytes; the target"
    ):
        client.predict([b"\xff" * 1_200_000], signature="string")


def test_a_version_that_is_not_deployed_is_refused(client, kind):
    with pytest.raises(UserError, match="version `7` of echo"):
        client.predict([1.0], signature="float32", version="7")


def test_a_model_that_is_not_deployed_is_the_services_refusal(clouds, models, kind):
    if kind in AGAIN:
        pytest.skip("as its platform's first target")
    scheme = "s3://nothing-aws" if kind == "sagemaker" else "gs://nothing-google"
    place = Target(kind, TARGETS[kind].provider, {**TARGETS[kind].fields, "bucket": scheme})
    project = Project(models, {"nothing": Model("nothing", models)}, {kind: place})
    client = cloudserve.Client(project, "nothing", kind, environ=clouds)
    with pytest.raises(RemoteError) as caught:
        client.predict(IMAGES)
    assert caught.value.hint


@pytest.fixture
def calls(kind, clouds, deployed, tmp_path, monkeypatch):
    """Give the lines that a deployment shows, in a folder with a request."""
    project, name = deployed
    monkeypatch.chdir(tmp_path)
    Path("request.json").write_text('{"signature_name": "float32", "instances": [1.5]}')
    for variable, value in clouds.items():
        monkeypatch.setenv(variable, value)
    return call_example(project, name, kind, clouds)


def test_the_shown_python_calls_the_endpoint(calls, kind):
    snippets = [text for way, text in calls.ways.items() if way in {"boto3", "google-auth"}]
    if kind in {"multi-model", "async"}:
        assert snippets == []
        return
    names = {"boto3": boto3, "google": google, "AuthorizedSession": AuthorizedSession}
    answer = eval(snippets[0], {**names, "Path": Path})
    answer = json.loads(answer) if isinstance(answer, bytes) else answer
    assert answer["predictions"] == [1.5]


def test_the_shown_curl_calls_the_endpoint(calls, kind, tmp_path, monkeypatch):
    if kind in {"multi-model", "async"} or shutil.which("curl") is None:
        pytest.skip("it has no curl call, or there is no curl")
    gcloud = tmp_path / "gcloud"
    gcloud.write_text("#!/bin/sh\necho token\n")
    gcloud.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = subprocess.run(
        ["sh", "-c", calls.ways["curl"]], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout)["predictions"] == [1.5]


def test_the_first_way_is_this_packages_client(calls, kind):
    assert next(iter(calls.ways.values())).endswith(f'@{kind}").predict(inputs)')
    if kind in {"sagemaker", "vertex", "dedicated"}:
        assert calls.resource.startswith(("arn:aws:sagemaker:", "http://127.0.0.1"))
