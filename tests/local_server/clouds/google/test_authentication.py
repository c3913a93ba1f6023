"""`--auth strict` of Google's APIs: over REST and gRPC, as Google refuses."""

from __future__ import annotations

import base64
import warnings

import grpc
import pytest
import requests
from cloudserve.local_server.clouds.google.authentication import SECONDS, Tokens
from cloudserve.local_server.clouds.google.service_account import write_service_account

VERTEX = "/v1/projects/p/locations/us-central1/endpoints"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture(scope="module")
def strict(new_emulator, tmp_path_factory):
    data = tmp_path_factory.mktemp("strict")
    running = new_emulator(data, auth="strict")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def account(strict):
    from google.oauth2 import service_account

    path = strict.environment["GOOGLE_APPLICATION_CREDENTIALS"]
    return service_account.Credentials.from_service_account_file(path, scopes=[SCOPE])


@pytest.fixture(scope="module")
def token(account) -> str:
    from google.auth.transport.requests import Request

    with warnings.catch_warnings(), requests.Session() as session:
        warnings.simplefilter("ignore")
        account.refresh(Request(session))
    return account.token


def ask(running, path: str = VERTEX, authorization: str = "") -> tuple[int, dict]:
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.get(f"{running.url}{path}", headers=headers, timeout=60)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("path", "service"),
    [
        (VERTEX, "aiplatform"),
        ("/v1/projects/p/models", "ml"),
        ("/v3/projects/p/metricDescriptors", "monitoring"),
        ("/v2/projects/p/logs", "logging"),
    ],
)
def test_a_request_without_credentials_is_refused(strict, path, service):
    status, answer = ask(strict, path)
    error = answer["error"]
    assert (status, error["status"]) == (401, "UNAUTHENTICATED")
    assert error["message"].startswith("Request is missing required authentication credential.")
    detail = error["details"][0]
    assert detail["reason"] == "CREDENTIALS_MISSING"
    assert detail["metadata"] == {"service": f"{service}.googleapis.com"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_an_issued_token_is_accepted(strict, token, scheme):
    assert ask(strict, authorization=f"{scheme} {token}") == (200, {})


def test_a_token_that_the_account_signed_is_accepted(strict, account):
    from google.auth import jwt

    signed = jwt.Credentials.from_signing_credentials(account, audience="https://x/")
    signed.refresh(None)
    assert ask(strict, authorization=f"Bearer {signed.token.decode()}") == (200, {})


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda _: "ya29.real"])
def test_any_other_token_is_refused(strict, token, change):
    status, answer = ask(strict, authorization=f"Bearer {change(token)}")
    assert status == 401
    assert answer["error"]["message"].startswith("Request had invalid authentication credentials.")


def test_a_token_of_another_account_is_refused(strict, key_file):
    from google.auth import jwt
    from google.oauth2 import service_account

    other = service_account.Credentials.from_service_account_file(key_file)
    signed = jwt.Credentials.from_signing_credentials(other, audience="https://x/")
    signed.refresh(None)
    text = signed.token.decode()
    assert ask(strict, authorization=f"Bearer {text}")[0] == 401
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": text}
    refused = requests.post(f"{strict.url}/token", data=form, timeout=60)
    assert refused.status_code == 400
    assert refused.json() == {
        "error": "invalid_grant",
        "error_description": "Invalid JWT Signature.",
    }


def test_calls_over_grpc_are_checked_too(strict, account, token):
    from google.cloud.aiplatform_v1.types import ListEndpointsRequest

    body = ListEndpointsRequest.serialize(
        ListEndpointsRequest(parent="projects/p/locations/us-central1")
    )
    with grpc.insecure_channel(strict.url.removeprefix("http://")) as channel:
        call = channel.unary_unary("/google.cloud.aiplatform.v1.EndpointService/ListEndpoints")
        with pytest.raises(grpc.RpcError) as refused:
            call(body, timeout=60)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert (
            b"CREDENTIALS_MISSING"
            in dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
        )
        assert call(body, timeout=60, metadata=(("authorization", f"Bearer {token}"),)) == b""


def test_googles_client_of_cloud_storage_needs_none(strict):
    with strict.gcs() as client:
        assert list(client.list_buckets()) == []


def test_without_strict_nothing_is_checked(clouds):
    assert ask(clouds, authorization="Bearer nonsense")[0] == 200


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("account") / "account.json"
    write_service_account(path, "http://x/token")
    return path


def test_a_token_is_valid_for_an_hour_and_after_a_restart(key_file):
    token = Tokens(key_file, lambda: 1e9).issue()
    assert Tokens(key_file, lambda: 1e9 + SECONDS - 1).is_valid(token)
    assert not Tokens(key_file, lambda: 1e9 + SECONDS).is_valid(token)


DEEP = base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.aa"


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "ya29.offline-1-x-0", "é", DEEP])
def test_any_other_text_is_no_token(key_file, text):
    assert not Tokens(key_file).is_valid(text)
