from __future__ import annotations

import json
import logging

import google.auth
import google.auth.transport.requests
import pytest
import requests
from cloudserve.local_server.clouds.google.service_account import write_service_account

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def test_application_default_credentials_work_unchanged(clouds, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, "cloudserve")
    for name, value in clouds.environment.items():
        monkeypatch.setenv(name, value)
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials, project = google.auth.default(scopes=scopes)
    with requests.Session() as session:
        credentials.refresh(google.auth.transport.requests.Request(session))
    assert credentials.valid
    assert project == clouds.environment["GOOGLE_CLOUD_PROJECT"]
    assert credentials.token not in caplog.text


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": GRANT}, "invalid_request"),
        ({"grant_type": GRANT, "assertion": "no token"}, "invalid_grant"),
    ],
)
def test_other_requests_are_typed_errors(clouds, form, error):
    answer = requests.post(f"{clouds.url}/token", data=form, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]


def test_the_key_file_is_its_owners_alone_and_keeps_its_key(tmp_path):
    path = tmp_path / "credentials" / "account.json"
    write_service_account(path, "http://127.0.0.1:1/token")
    first = json.loads(path.read_bytes())
    write_service_account(path, "http://127.0.0.1:2/token")
    second = json.loads(path.read_bytes())
    assert path.stat().st_mode & 0o777 == 0o600
    assert second == first | {"token_uri": "http://127.0.0.1:2/token"}
    assert [p.name for p in path.parent.iterdir()] == ["account.json"]


def test_a_damaged_key_file_is_replaced(tmp_path):
    path = tmp_path / "account.json"
    path.write_text("{")
    write_service_account(path, "http://127.0.0.1:1/token")
    assert json.loads(path.read_bytes())["type"] == "service_account"
