"""The client of registries: authentication, faults, interrupted uploads."""

import io
import json
import os
import stat

import pytest

from cloudserve.errors import RemoteError, UnreachableError, UserError
from cloudserve.images.oci.credentials import Credentials, find_credentials
from cloudserve.images.oci.manifest import LAYER, Descriptor, digest_of
from cloudserve.images.oci.references import parse_reference
from cloudserve.images.oci.registry import Repository, open_repository
from cloudserve.images.oci.session import Session
from cloudserve.storage.retry import Retry

from .conftest import LOGIN

LARGE = os.urandom(1 << 20) * 9


def repository(server, **settings):
    retry = Retry(attempts=3, first=0.001)
    return Repository("a/b", Session(server.url, **settings), retry)


def describe(data):
    return Descriptor(LAYER, digest_of(data), len(data))


def test_a_token_is_asked_for_with_the_scopes_and_sent_afterwards(faulty, home):
    server = faulty()
    server.token = True
    reference = parse_reference(f"{server.registry}/a/b:1", "")
    client = open_repository(reference, home | LOGIN, push=True, mount_from=["base"])
    assert client.has("sha256:0") is False
    (query,) = server.tokens
    assert query["service"] == ["reg"]
    scopes = ["repository:a:pull", "repository:a/b:pull,push", "repository:base:pull"]
    assert query["scope"] == scopes
    (token,) = [sent for _, path, sent in server.requests if path.startswith("/token")]
    assert token == Credentials("tester", "open sesame").basic
    assert server.requests[-1][2] == "Bearer t0k3n"
    client.has("sha256:1")
    assert len(server.tokens) == 1


def test_a_redirect_to_storage_is_followed_without_the_token(faulty, tmp_path):
    server, storage = faulty(), faulty()
    server.token, server.storage = True, storage.url
    data = b"layer"
    server.blobs[digest_of(data)] = storage.blobs[digest_of(data)] = data
    repository(server).blob(describe(data), tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == data
    assert [sent for _, _, sent in storage.requests] == [None]


def test_an_interrupted_upload_continues_where_it_ended(faulty):
    server = faulty()
    server.drop_after = 5 << 20
    lines = []
    client = repository(server)
    client.notify = lines.append
    client.upload(describe(LARGE), lambda: io.BytesIO(LARGE))
    assert server.blobs[digest_of(LARGE)] == LARGE
    assert f"continuing the upload at byte {5 << 20} of {len(LARGE)}" in lines
    assert [method for method, _, _ in server.requests] == ["POST", "PATCH", "GET", "PATCH", "PUT"]


def test_a_registry_that_fails_for_a_moment_is_asked_again(faulty):
    server = faulty()
    server.broken = ("HEAD", 503)
    with pytest.raises(RemoteError, match="the registry answered 503"):
        repository(server).has("sha256:0")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (401, "the registry does not accept the credentials", "docker login"),
        (403, "the registry refuses access", "grant the account access"),
        (404, "the registry has no such repository or image", "create the repository"),
    ],
)
def test_a_refusal_is_one_sentence_with_the_registrys_reason(faulty, status, message, hint):
    server = faulty()
    server.broken = ("POST", status)
    with pytest.raises(RemoteError) as error:
        repository(server).upload(describe(b"x"), lambda: io.BytesIO(b"x"))
    assert error.value.message == f"{message} while starting an upload: DENIED, no"
    assert hint in error.value.hint
    assert len(server.requests) == 1


def test_a_blob_with_other_bytes_is_refused(faulty, tmp_path):
    server = faulty()
    server.blobs[digest_of(b"right")] = b"wrong"
    with pytest.raises(RemoteError, match="other bytes than those of sha256:"):
        repository(server).blob(describe(b"right"), tmp_path / "blob")
    server.blobs[digest_of(b"manifest")] = b"other"
    with pytest.raises(RemoteError, match="another manifest"):
        repository(server).manifest(digest_of(b"manifest"))


def test_a_registry_without_a_listener_or_without_tls_does_not_answer(faulty):
    server = faulty()
    for url in ("http://127.0.0.1:1", f"https://{server.registry}"):
        client = Repository("a", Session(url), Retry(attempts=1))
        with pytest.raises(UnreachableError, match="the registry does not"):
            client.has("sha256:0")


def test_an_identity_token_is_exchanged_by_oauth2(faulty):
    server = faulty()
    server.token = True
    client = Repository("a", Session(server.url, Credentials("", "identity")))
    assert not client.has("sha256:0")
    (form,) = server.tokens
    assert form == {
        b"grant_type": [b"refresh_token"],
        b"service": [b"reg"],
        b"client_id": [b"cloudserve"],
        b"scope": [b"repository:a:pull"],
        b"refresh_token": [b"identity"],
    }
    assert [sent for _, _, sent in server.requests] == [None, None, "Bearer t0k3n"]


def test_a_registry_with_basic_authentication_gets_the_password(faulty):
    """Amazon ECR: the user `AWS`, and a password of 12 hours."""
    server, user = faulty(), Credentials("AWS", "of-twelve-hours")
    server.basic = user.basic
    assert not Repository("a", Session(server.url, user)).has("sha256:0")
    assert [sent for _, _, sent in server.requests] == [None, user.basic]
    with pytest.raises(RemoteError, match="does not accept the credentials"):
        Repository("a", Session(server.url, Credentials("AWS", "expired"))).has("sha256:0")


def test_a_token_server_without_https_gets_no_credentials():
    session = Session("https://registry.test", Credentials("user", "secret"))
    with pytest.raises(RemoteError, match="a token server without HTTPS"):
        session._token({"realm": "http://registry.test/token"})


def test_credentials_are_not_in_a_repr():
    session = Session("https://registry.test", Credentials("user", "secret"))
    assert "secret" not in repr(session) + repr(session.credentials)


@pytest.fixture
def docker_config(tmp_path):
    def write(config):
        (tmp_path / "config.json").write_text(json.dumps(config))
        helper = tmp_path / "docker-credential-test"
        helper.write_text(
            "#!/bin/sh\nread host\n"
            '[ "$host" = known ] || { echo credentials not found in native keychain; exit 1; }\n'
            'echo \'{"Username": "<token>", "Secret": "s"}\'\n'
        )
        helper.chmod(stat.S_IRWXU)
        return {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    return write


@pytest.mark.parametrize(
    ("config", "registry", "expected"),
    [
        ({}, "r.io", None),
        ({"auths": {"r.io": {"auth": "dTpw"}}}, "r.io", Credentials("u", "p")),
        ({"auths": {"https://r.io": {"auth": "dTpw"}}}, "r.io", Credentials("u", "p")),
        ({"auths": {"r.io": {"identitytoken": "i"}}}, "r.io", Credentials("", "i")),
        ({"credHelpers": {"known": "test"}}, "known", Credentials("", "s")),
        ({"credsStore": "test"}, "other", None),
        (
            {"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}},
            "docker.io",
            Credentials("u", "p"),
        ),
    ],
)
def test_credentials_are_found_as_docker_finds_them(docker_config, config, registry, expected):
    assert find_credentials(registry, docker_config(config), of_push=False) == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"auths": {"r.io": {"auth": "?"}}}, "`auth` of a registry is not base64"),
        ({"credsStore": "absent"}, "docker-credential-absent does not run"),
    ],
)
def test_a_broken_configuration_is_an_error(docker_config, config, message):
    with pytest.raises(UserError, match=message):
        find_credentials("r.io", docker_config(config), of_push=False)


def test_the_variables_are_for_the_registry_of_a_push(docker_config):
    environ = docker_config({}) | LOGIN
    assert find_credentials("r.io", environ, of_push=False) is None
    assert find_credentials("r.io", environ, of_push=True).user == "tester"


@pytest.mark.parametrize(
    ("text", "expected", "url"),
    [
        ("python", "docker.io/library/python:latest", "https://registry-1.docker.io"),
        ("python:3.12", "docker.io/library/python:3.12", "https://registry-1.docker.io"),
        ("team/x", "docker.io/team/x:latest", "https://registry-1.docker.io"),
        ("localhost:5000/x:1", "localhost:5000/x:1", "http://localhost:5000"),
        ("[::1]:5000/x", "[::1]:5000/x:latest", "http://[::1]:5000"),
        ("r.io/a/b-c", "r.io/a/b-c:latest", "https://r.io"),
    ],
)
def test_names_are_read_as_docker_reads_them(text, expected, url):
    reference = parse_reference(text, "")
    assert (str(reference), reference.url) == (expected, url)


@pytest.mark.parametrize(
    "text", ["", "R/x", "r.io/", "r.io/a:", "x@sha256:12", "r.io/a b", "a/../b"]
)
def test_other_names_are_refused(text):
    with pytest.raises(UserError, match="is not the name of an image"):
        parse_reference(text, "--push")
