"""Addresses of models, and texts that are none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve import Client
from cloudserve.client.transports.address import ServerAddress, TargetAddress, parse_address
from cloudserve.client.transports.cloud_address import CloudAddress
from cloudserve.errors import UserError


@pytest.mark.parametrize(
    ("text", "model", "address"),
    [
        ("http://h:8501/v1/models/m", "", ServerAddress("http://h:8501", "m")),
        ("http://h/v1/models/m:predict", "", ServerAddress("http://h", "m")),
        ("http://h/v1/models/m/versions/3", "", ServerAddress("http://h", "m", "3")),
        ("http://h/v1/models/m/labels/a", "", ServerAddress("http://h", "m", "a")),
        ("http://h/a/v1/models/m/", "", ServerAddress("http://h/a", "m")),
        ("http://h:1", "m", ServerAddress("http://h:1", "m")),
        ("https://h/b/", "m", ServerAddress("https://h/b", "m", is_secure=True)),
        ("http://[::1]:1/v1/models/m", "", ServerAddress("http://[::1]:1", "m")),
        ("grpc://h/m", "", ServerAddress("h:8500", "m", is_grpc=True)),
        ("grpc://h:1/m/2", "", ServerAddress("h:1", "m", "2", is_grpc=True)),
        ("grpcs://h/m", "", ServerAddress("h:443", "m", is_grpc=True, is_secure=True)),
        ("unix:/run/s", "m", ServerAddress("unix:/run/s", "m", is_grpc=True)),
        ("unix:///run/s", "m", ServerAddress("unix:/run/s", "m", is_grpc=True)),
        ("m@aws", "", TargetAddress("m", "aws")),
        ("m:2@aws", "", TargetAddress("m", "aws", "2")),
        ("aws", "m:v2", TargetAddress("m", "aws", "v2")),
        (".", "", Path()),
    ],
)
def test_an_address_is_read(text, model, address):
    assert parse_address(text, model) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is neither an address"),
        ("m", "is neither an address"),
        ("@", "does not name a model and a target"),
        ("m@", "does not name a model and a target"),
        ("http://", "is not the URL of a server"),
        ("http://h", "names no model"),
        ("http://h/v1/models/", "names no model"),
        ("http://h/v1/models/m/versions/", "names no model"),
        ("http://h/v1/models/m?x=1", "has a user, a query or a fragment"),
        ("grpc://h", "names no model"),
        ("grpc://h/m/1/2", "names no model"),
        ("unix:/run/s", "names no model"),
        ("unix:s", "has no absolute path"),
        ("s3://b/m", "is not the URL of a server"),
        ("http://h:port/v1/models/m", "is not a URL"),
        (
            "arn:aws:sagemaker:eu-west-1:0:inference-component/m",
            "inference components of SageMaker are not supported",
        ),
        ("arn:aws:sagemaker:eu-west-1:0:endpoint/m", "does not name an endpoint that answers"),
        ("arn:aws:s3:::bucket", "does not name an endpoint that answers"),
        ("projects/p/locations/l/models/m", "does not name an endpoint that answers"),
    ],
)
def test_another_text_is_refused(text, message):
    with pytest.raises(UserError, match=message) as caught:
        parse_address(text)
    assert caught.value.hint


@given(st.text())
def test_any_text_is_an_address_or_refused(text):
    try:
        parse_address(text, "m")
    except UserError as error:
        assert error.hint


ENDPOINT = {"project": "p", "region": "europe-west4", "endpoint": "17"}
NAME = "projects/p/locations/europe-west4/endpoints/17"


@pytest.mark.parametrize(
    ("text", "provider", "parts"),
    [
        (
            "arn:aws-cn:sagemaker:cn-north-1:123456789012:endpoint/m-1",
            "sagemaker",
            {"region": "cn-north-1", "account": "123456789012", "endpoint": "m-1"},
        ),
        (
            "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/m/invocations",
            "sagemaker",
            {"region": "eu-west-1", "endpoint": "m"},
        ),
        (NAME, "vertex", ENDPOINT),
        (
            f"https://europe-west4-aiplatform.googleapis.com/v1/{NAME}:predict",
            "vertex",
            {**ENDPOINT, "base": "https://europe-west4-aiplatform.googleapis.com"},
        ),
        (
            "17.europe-west4-123.prediction.vertexai.goog",
            "vertex",
            {
                "endpoint": "17",
                "region": "europe-west4",
                "project": "123",
                "dns": "17.europe-west4-123.prediction.vertexai.goog",
            },
        ),
        (
            "http://17.aiplatform.googleapis.com/v1/models/9:predict",
            "vertex",
            {
                "endpoint": "17",
                "private": "http://17.aiplatform.googleapis.com/v1/models/9:predict",
            },
        ),
        (
            "projects/p/models/m/versions/v1",
            "ai-platform",
            {"project": "p", "model": "m", "version": "v1"},
        ),
    ],
)
def test_the_own_name_of_an_endpoint_is_read(text, provider, parts):
    address = parse_address(text)
    assert address == CloudAddress(provider, text, parts, "", parts.get("version", ""))


def test_only_an_endpoint_of_sagemaker_has_several_models():
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/many"
    assert parse_address(arn, "m.tar.gz").model == "m.tar.gz"
    with pytest.raises(UserError, match="the address names its model, and `m` is another"):
        parse_address(NAME, "m")


@pytest.mark.parametrize("end", [".prediction.vertexai.goog", ".ml.googleapis.com"])
def test_a_token_is_not_sent_to_a_host_that_only_ends_like_googles(end):
    """For urllib3, a backslash ends the host."""
    for path in (NAME, "projects/p/models/m"):
        with pytest.raises(UserError):
            Client(f"https://evil.example\\{end}/v1/{path}:predict", environ={})


def test_a_token_is_not_sent_to_a_foreign_host():
    with pytest.raises(UserError, match=r"`evil\.example` is not a host of Google's"):
        Client(f"https://evil.example/v1/{NAME}:predict", environ={})
    with pytest.raises(UserError, match="is not a host of Google's"):
        Client(f"http://europe-west4-aiplatform.googleapis.com/v1/{NAME}:predict", environ={})
    with pytest.raises(UserError, match="is not a host of Google's"):
        Client("https://evil.example/v1/projects/p/models/m:predict", environ={})


def test_a_target_belongs_to_a_project():
    with pytest.raises(UserError, match="a target belongs to a project"):
        Client("http://h/v1/models/m", "m", "aws")


@pytest.mark.parametrize(
    "subject",
    [
        "http://exämple..com/v1/models/m",
        f"http://{'a' * 70}.com/v1/models/m",
        "http://h/v1/models/\0",
    ],
)
def test_a_url_that_cannot_be_used_is_one_error(subject):
    with pytest.raises(UserError, match="the URL cannot be used"):
        Client(subject).predict([1.0])


@pytest.mark.parametrize("subject", ["a" * 5000, "a\0b"])
def test_a_text_that_is_no_path_is_not_an_address(subject):
    with pytest.raises(UserError, match="is neither an address"):
        Client(subject)


@pytest.mark.parametrize("version", ["9" * 19, "9" * 5000, "\ud800", "a\nb"])
def test_a_version_that_cannot_be_is_refused_first(version):
    with pytest.raises(UserError, match="is not a version"):
        Client("grpc://127.0.0.1:1/m", version=version)
    with pytest.raises(UserError, match="is not a version"):
        Client("http://127.0.0.1:1/v1/models/m").predict([1.0], version=version)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_deadline_is_a_number_of_seconds(seconds):
    client = Client("http://127.0.0.1:1/v1/models/m")
    with pytest.raises(UserError, match="a timeout of"):
        client.predict([1.0], timeout=seconds)
    with pytest.raises(UserError, match="a timeout of"):
        client.send(b"{}", timeout=seconds)


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "odd://proxy")
    with pytest.raises(UserError, match="the proxy of the environment cannot be used"):
        Client("http://127.0.0.1:1/v1/models/m")
