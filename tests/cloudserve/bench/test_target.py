"""The accepted forms of a server's address."""

import pytest

from cloudserve.bench.target import parse_target
from cloudserve.errors import UserError


@pytest.mark.parametrize(
    ("url", "model", "version", "label", "path"),
    [
        ("http://h:8501/v1/models/m", "m", None, "", "/v1/models/m"),
        ("http://h:8501/v1/models/m:predict", "m", None, "", "/v1/models/m"),
        ("http://h:8501/v1/models/m/versions/3", "m", 3, "", "/v1/models/m/versions/3"),
        ("http://h/v1/models/m/labels/a:predict", "m", None, "a", "/v1/models/m/labels/a"),
        ("http://h/v1/models/m:classify", "", None, "", "/v1/models/m:classify"),
        ("http://h/invocations?a=b", "", None, "", "/invocations?a=b"),
        ("http://h", "", None, "", "/"),
    ],
)
def test_an_http_url_is_a_model_or_any_path(url, model, version, label, path):
    target = parse_target(url)
    assert (target.model, target.version, target.label) == (model, version, label)
    assert target.path == path
    assert not target.is_grpc


@pytest.mark.parametrize(
    ("url", "authority", "is_secure"),
    [
        ("http://h/x", "h:80", False),
        ("https://h/x", "h:443", True),
        ("grpc://h/m", "h:8500", False),
        ("grpcs://h/m", "h:443", True),
        ("grpc://[::1]:9/m", "[::1]:9", False),
    ],
)
def test_each_scheme_has_its_port(url, authority, is_secure):
    target = parse_target(url)
    assert (target.authority, target.is_secure) == (authority, is_secure)


def test_a_grpc_url_names_a_model_and_may_name_a_version():
    assert parse_target("grpc://h:1/m/7").version == 7
    assert parse_target("grpc://h:1/m").version is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("half", "`half` is neither a directory nor the URL of a server"),
        ("localhost:8501", "`localhost:8501` is neither a directory nor the URL of a server"),
        ("ftp://h/x", "`ftp://h/x` is neither a directory nor the URL of a server"),
        ("http:///x", "`http:///x` is neither a directory nor the URL of a server"),
        ("grpc://h:1", "`grpc://h:1` names no model"),
        ("grpc://h:1/m/latest", "`grpc://h:1/m/latest` names no model"),
        ("http://h:70000/", "`http://h:70000/` is not a URL: Port out of range 0-65535"),
    ],
)
def test_another_text_is_refused_with_the_accepted_forms(url, message):
    with pytest.raises(UserError) as refused:
        parse_target(url)
    assert refused.value.message == message
    assert "grpc://" in refused.value.hint


@pytest.mark.parametrize(
    ("url", "is_local"),
    [("http://127.0.0.1:1/", True), ("grpc://[::1]:1/m", True), ("http://10.0.0.1/", False)],
)
def test_a_loopback_address_is_local(url, is_local):
    assert parse_target(url).is_local is is_local
