"""The identity of a pipeline (workload identity federation), as cloudserve uses it offline."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from cloudserve.adapters.google.credentials import Access
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import Request

POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ci-1"
STS, IAM = "https://sts.googleapis.com", "https://iamcredentials.googleapis.com"
EMAIL = "release@acme-models.iam.gserviceaccount.com"


@pytest.fixture
def url(clouds):
    return clouds["STORAGE_EMULATOR_HOST"]


def part(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def access(folder: Path, exchange: str, impersonation: str = "") -> Access:
    """Return the access of a credentials file as gcloud writes it, with other hosts."""
    now = int(time.time())
    claims = {"iss": "https://gitlab.com", "sub": "s", "aud": POOL, "iat": now, "exp": now + 300}
    (folder / "token").write_text(f"{part({'alg': 'RS256', 'kid': 'k'})}.{part(claims)}.c2lnbmVk")
    account = {
        "type": "external_account",
        "audience": POOL,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{exchange}/v1/token",
        "credential_source": {"file": str(folder / "token")},
    }
    if impersonation:
        path = f"v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
        account["service_account_impersonation_url"] = f"{impersonation}/{path}"
    file = folder / "credentials.json"
    file.write_text(json.dumps(account))
    return Access({"GOOGLE_APPLICATION_CREDENTIALS": str(file)})


def test_a_file_that_names_the_offline_clouds_is_used_there(tmp_path, url):
    credentials = access(tmp_path, url, url).credentials_for(url)
    assert credentials.service_account_email == EMAIL
    credentials.refresh(Request())
    assert credentials.token.startswith("ya29.")
    assert not isinstance(access(tmp_path, url).credentials_for(url), AnonymousCredentials)


@pytest.mark.parametrize("hosts", [(STS, IAM), (STS, ""), (STS, None), (None, IAM)])
def test_no_token_of_a_real_account_is_asked_for_offline(tmp_path, url, hosts):
    own = access(tmp_path, *(url if host is None else host for host in hosts))
    assert isinstance(own.credentials_for(url), AnonymousCredentials)
