"""Which Google Cloud project the calls reach, and as whom."""

import json
from pathlib import Path

import pytest
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.destination import google_destination

from cloudserve.errors import UserError

VERTEX = "https://us-central1-aiplatform.googleapis.com"
STORAGE = "https://storage.googleapis.com"
OFFLINE = "http://127.0.0.1:8900"


def destination(endpoint, storage, environ):
    access = Access(environ)
    return google_destination("aiplatform", endpoint, storage, "p", "us-central1", access)


def test_the_offline_clouds_are_known_by_their_url():
    found = destination(OFFLINE, OFFLINE, {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"})
    assert str(found) == f"google · offline {OFFLINE}"


def test_a_service_account_is_the_principal(clouds):
    found = destination(VERTEX, STORAGE, clouds)
    email = json.loads(Path(clouds["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["client_email"]
    assert str(found) == f"google · project p · us-central1 · {email}"


def test_credentials_that_cannot_be_read_are_left_to_the_first_call(tmp_path):
    for file in (tmp_path / "missing.json", tmp_path):
        found = destination(VERTEX, STORAGE, {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
        assert str(found) == "google · project p · us-central1"


@pytest.mark.parametrize("urls", [(OFFLINE, STORAGE), (VERTEX, OFFLINE)])
def test_one_service_offline_and_another_not_is_refused(urls, clouds):
    with pytest.raises(UserError, match=r"stay on this machine, and those of .* do not"):
        destination(*urls, clouds)
