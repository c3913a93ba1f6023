"""Impersonation and workload identity, through google-auth's own credentials."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import google.auth
import pytest
from google.auth import impersonated_credentials
from google.auth.exceptions import OAuthError, RefreshError
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2 import service_account

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
TARGET = "deployer@acme.iam.gserviceaccount.com"
AUDIENCE = (
    "//iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/github"
    "/providers/actions"
)
DENIED = "iam.serviceAccounts.getAccessToken"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def id_token(**changes) -> str:
    """Return a token of an identity provider; None leaves a claim out."""
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": "https://token.actions.githubusercontent.com",
        "sub": "repo:acme/models:ref:refs/heads/main",
        "aud": f"https:{AUDIENCE}",
        "iat": now,
        "exp": now + 300,
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return f"{part({'alg': 'RS256', 'kid': 'k'})}.{part(claims)}.c2lnbmVk"


def account_url(clouds, email: str = TARGET, project: str = "-") -> str:
    return f"{clouds.url}/v1/projects/{project}/serviceAccounts/{email}:generateAccessToken"


@pytest.fixture
def federated(clouds, tmp_path, monkeypatch):
    """Return a function that makes the default credentials of a pipeline with an ID token."""

    def make(token: str, **changes):
        (tmp_path / "token").write_text(token)
        info = {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{clouds.url}/v1/token",
            "credential_source": {"file": str(tmp_path / "token")},
        }
        path = tmp_path / "credentials.json"
        path.write_text(json.dumps(info | changes))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
        credentials, _ = google.auth.default(scopes=SCOPES)
        return credentials

    return make


def impersonated(clouds, email: str = TARGET, **more):
    path = clouds.emulator.environment()["GOOGLE_APPLICATION_CREDENTIALS"]
    source = service_account.Credentials.from_service_account_file(path)
    return impersonated_credentials.Credentials(
        source, email, SCOPES, iam_endpoint_override=account_url(clouds, email), **more
    )


def test_a_service_account_impersonates_another(clouds):
    credentials = impersonated(clouds, lifetime=600)
    credentials.refresh(AuthRequest())
    left = credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
    assert 500 < left.total_seconds() <= 600
    assert credentials.token.startswith("ya29.")


@pytest.mark.parametrize(
    ("email", "more", "words"),
    [
        (TARGET, {"lifetime": 3601}, "The access token lifetime cannot exceed 3600 seconds."),
        ("somebody", {}, "Not found; Gaia id not found for email somebody"),
    ],
)
def test_an_impersonation_is_checked(clouds, email, more, words):
    with pytest.raises(RefreshError) as caught:
        impersonated(clouds, email, **more).refresh(AuthRequest())
    assert words in str(caught.value)


@pytest.fixture
def denying(new_emulator):
    running = new_emulator(None, deny=(DENIED,))
    yield running
    running.stop()


def test_a_denied_impersonation_has_the_services_words(denying):
    with pytest.raises(RefreshError) as caught:
        impersonated(denying).refresh(AuthRequest())
    error = json.loads(caught.value.args[1])["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert error["message"] == f"Permission '{DENIED}' denied on resource (or it may not exist)."
    assert error["details"][0]["metadata"] == {"permission": DENIED}


def test_a_pipeline_exchanges_its_id_token(federated):
    credentials = federated(id_token())
    credentials.refresh(AuthRequest())
    assert credentials.token.startswith("ya29.")


def test_a_pipeline_impersonates_a_service_account_with_its_id_token(federated, clouds):
    credentials = federated(id_token(), service_account_impersonation_url=account_url(clouds))
    assert credentials.service_account_email == TARGET
    credentials.refresh(AuthRequest())
    assert credentials.token.startswith("ya29.")


@pytest.mark.parametrize(
    ("token", "changes", "code", "words"),
    [
        (id_token(exp=1), {}, "invalid_grant", "is stale to sign-in"),
        (id_token(sub=None), {}, "invalid_grant", "it has no sub"),
        ("a.b", {}, "invalid_grant", "three parts"),
        ("a.b.c", {}, "invalid_grant", "base64url"),
        (f"{part([])}.{part({})}.c", {}, "invalid_grant", "not a JSON object"),
        (f"{part({'alg': 'none'})}.{part({})}.c", {}, "invalid_grant", "RS256"),
        (
            id_token(),
            {"audience": AUDIENCE.replace("123456", "acme")},
            "invalid_request",
            "full resource name of the Identity Provider",
        ),
        (
            id_token(),
            {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
            "invalid_request",
            "not available offline",
        ),
    ],
)
def test_a_wrong_id_token_or_provider_is_refused(federated, token, changes, code, words):
    with pytest.raises(OAuthError) as caught:
        federated(token, **changes).refresh(AuthRequest())
    assert code in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": ""}, "invalid_request"),
        (
            {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
            "invalid_request",
        ),
    ],
)
def test_incomplete_exchanges_are_refused(clouds, fields, code):
    whole = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": id_token(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": AUDIENCE,
        "scope": SCOPES[0],
    }
    body = urlencode(whole | fields if fields else {}).encode()
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(f"{clouds.url}/v1/token", body))
    with caught.value as answer:
        assert (answer.code, json.loads(answer.read())["error"]) == (400, code)


@pytest.mark.parametrize("body", [b"{", b"[]", b"[" * 3000])
def test_a_request_that_is_no_object_is_not_taken_for_a_token(clouds, body):
    headers = {"Content-Type": "application/json"}
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(f"{clouds.url}/v1/token", body, headers))
    with caught.value as answer:
        error = json.loads(answer.read())
    assert (answer.code, error["error"]) == (400, "invalid_request")
    assert error["error_description"].startswith("The request is invalid: it is not ")


@pytest.mark.parametrize(
    ("url", "body", "words"),
    [
        ({}, {}, "Scope required."),
        ({"project": "acme"}, {"scope": SCOPES}, "projects/-/serviceAccounts/EMAIL"),
        ({}, {"scope": SCOPES, "lifetime": "an hour"}, "is not a duration"),
        ({}, {"scope": SCOPES, "lifetime": "0s"}, "is not a duration"),
        ({}, {"scope": SCOPES, "delegates": ["x"]}, "is not the name of a service account"),
    ],
)
def test_invalid_requests_for_access_tokens_are_refused(clouds, url, body, words):
    headers = {"Content-Type": "application/json"}
    request = Request(account_url(clouds, **url), json.dumps(body).encode(), headers)
    with pytest.raises(HTTPError) as caught:
        urlopen(request)
    with caught.value as answer:
        error = json.loads(answer.read())["error"]
    assert (error["status"], words in error["message"]) == ("INVALID_ARGUMENT", True), error


@pytest.fixture
def strict(new_emulator):
    running = new_emulator(None, auth="strict")
    yield running
    running.stop()


def test_issued_tokens_are_those_of_strict_services(strict):
    credentials = impersonated(strict)
    credentials.refresh(AuthRequest())
    endpoints = f"{strict.url}/v1/projects/acme/locations/us-central1/endpoints"
    for token, status in ((credentials.token, 200), (f"{credentials.token}x", 401)):
        request = Request(endpoints, headers={"Authorization": f"Bearer {token}"})
        try:
            with urlopen(request) as answer:
                assert answer.status == status
        except HTTPError as error:
            assert error.code == status
            error.close()
