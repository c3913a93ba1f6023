"""Which Google Cloud project the calls reach, and as whom."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.destination import account_of, google_destination
from cloudserve.adapters.google.vertex.api import VertexApi
from google.oauth2.credentials import Credentials

from cloudserve.errors import RemoteError, UserError

VERTEX = "https://us-central1-aiplatform.googleapis.com"
STORAGE = "https://storage.googleapis.com"
OFFLINE = "http://127.0.0.1:8900"


def destination(endpoint, storage, environ):
    access = Access(environ)
    return google_destination("aiplatform", endpoint, storage, "p", "us-central1", access)


def test_the_offline_clouds_are_known_by_their_url():
    result = destination(OFFLINE, OFFLINE, {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"})
    assert str(result) == f"google · offline {OFFLINE}"


def test_a_service_account_is_the_principal(clouds):
    result = destination(VERTEX, STORAGE, clouds)
    email = json.loads(Path(clouds["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["client_email"]
    assert str(result) == f"google · project p · us-central1 · {email}"


class OwnGoogle(BaseHTTPRequestHandler):
    """Google's token service, and the information on the token that it gave."""

    email: ClassVar[dict[str, str]] = {"email": "ada@example.org", "email_verified": "true"}
    calls: ClassVar[list[str]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.calls.append(body or self.headers["Authorization"])
        answer = {"access_token": "of ada", "expires_in": 3600} if body else self.email
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def google():
    with HTTPServer(("127.0.0.1", 0), OwnGoogle) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize(("is_verified", "account"), [("true", "ada@example.org"), ("false", "")])
def test_a_user_is_named_by_the_information_on_a_token_with_all_granted_scopes(
    google, monkeypatch, is_verified, account
):
    monkeypatch.setattr("cloudserve.adapters.google.destination.TOKEN_INFO", google)
    monkeypatch.setitem(OwnGoogle.email, "email_verified", is_verified)
    credentials = Credentials(None, "refresh", None, google, "client", "secret", scopes=["narrow"])
    OwnGoogle.calls.clear()
    assert account_of(credentials) == account
    refresh, bearer = OwnGoogle.calls
    assert "refresh_token=refresh" in refresh
    assert "narrow" not in refresh
    assert bearer == "Bearer of ada"


def test_credentials_that_cannot_be_read_are_left_to_the_first_call(tmp_path):
    for file in (tmp_path / "missing.json", tmp_path):
        result = destination(VERTEX, STORAGE, {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
        assert str(result) == "google · project p · us-central1"


@pytest.mark.parametrize("urls", [(OFFLINE, STORAGE), (VERTEX, OFFLINE)])
def test_one_service_offline_and_another_not_is_refused(urls, clouds):
    with pytest.raises(UserError, match=r"stay on this machine, and those of .* do not"):
        destination(*urls, clouds)


@pytest.mark.parametrize("kind", ["authorized_user", "service_account"])
def test_offline_no_token_of_a_real_account_is_asked_for(clouds, google, tmp_path, kind):
    url = clouds["STORAGE_EMULATOR_HOST"]
    file = tmp_path / "real.json"
    account = json.loads(Path(clouds["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    # An address that does not count as this machine's.
    foreign = google.replace("127.0.0.1", "0.0.0.0")
    user = {"refresh_token": "r", "client_id": "c", "client_secret": "s"}
    file.write_text(json.dumps({**account, **user, "type": kind, "token_uri": foreign}))
    OwnGoogle.calls.clear()
    api = VertexApi("p", "us-central1", url, Access({"GOOGLE_APPLICATION_CREDENTIALS": str(file)}))
    assert api.endpoint("none") is None
    with pytest.raises(RemoteError, match="not found"):
        api.raw_predict("none", "", b"{}")
    assert OwnGoogle.calls == []


def test_offline_no_metadata_server_is_asked_for(clouds, monkeypatch):
    monkeypatch.setattr("google.auth.default", lambda **_: pytest.fail("asked for credentials"))
    api = VertexApi("p", "us-central1", clouds["STORAGE_EMULATOR_HOST"], Access({}))
    assert api.endpoint("none") is None


def test_offline_the_service_account_of_the_offline_clouds_is_used(clouds):
    credentials = Access(clouds).credentials_for(clouds["STORAGE_EMULATOR_HOST"])
    assert credentials.service_account_email.endswith(".iam.gserviceaccount.com")
