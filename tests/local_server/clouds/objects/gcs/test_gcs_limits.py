"""Limits of Cloud Storage: names, locations, metadata, chunks of resumable uploads."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

KIB = 1 << 10


@pytest.fixture(scope="module")
def ask(gcs_port) -> Any:
    """Give a function that sends a request and returns the response and its body."""

    def send(method: str, path: str, body: Any = b"", **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", gcs_port)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, content, {"Authorization": "Bearer t", **names})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response, json.loads(text) if text.startswith(b"{") else {}

    send("POST", "/storage/v1/b?project=p", {"name": "limits"})
    return send


@pytest.fixture
def session(ask) -> str:
    """Give the path of a new resumable upload."""
    response, _ = ask("POST", "/upload/storage/v1/b/limits/o?uploadType=resumable&name=a", {})
    location = response.headers["Location"]
    return location[location.index("/upload") :]


def message(answer: Any) -> tuple[int, str]:
    response, body = answer
    return response.status, body["error"]["message"]


@pytest.mark.parametrize(
    "location", ["MARS", "eu-west-1", "europe", "us-central9", "EUR6", "us-central1-a", ""]
)
def test_an_unknown_location_is_refused(ask, location):
    answer = ask("POST", "/storage/v1/b?project=p", {"name": "there", "location": location})
    assert message(answer) == (400, "The specified location constraint is not valid.")


def test_the_xml_api_refuses_an_unknown_location_too(ask):
    constraint = b"<LocationConstraint>MARS</LocationConstraint>"
    body = b"<CreateBucketConfiguration>" + constraint + b"</CreateBucketConfiguration>"
    response, _ = ask("PUT", "/by-xml", body, x_goog_project_id="p")
    assert response.status == 400


@pytest.mark.parametrize("location", ["eu", "NAM4", "europe-west12", "NORTHAMERICA-NORTHEAST1"])
def test_a_location_has_any_case(ask, location):
    name = f"in-{location.lower()}"
    _, bucket = ask("POST", "/storage/v1/b?project=p", {"name": name, "location": location})
    assert bucket["location"] == location.upper()


def test_a_bucket_and_a_list_of_buckets_need_a_project(ask):
    created, listed = ask("POST", "/storage/v1/b", {"name": "nobodys"}), ask("GET", "/storage/v1/b")
    assert message(created) == message(listed) == (400, "Required parameter: project")


@pytest.mark.parametrize("name", ["a.-b", "a-.b", "goog-a", "my.google", "1.2.3.4", "A"])
def test_a_name_that_no_bucket_may_have_is_refused(ask, name):
    response, _ = ask("POST", "/storage/v1/b?project=p", {"name": name})
    assert response.status == 400


@pytest.mark.parametrize("name", [".", "..", "a%0Ab", ".well-known%2Facme-challenge%2Fa"])
def test_a_name_that_no_object_may_have_is_refused(ask, name):
    path = f"/upload/storage/v1/b/limits/o?uploadType=media&name={name}"
    assert message(ask("POST", path, b"x"))[1].startswith("Disallowed object name")


@pytest.mark.parametrize(("size", "status"), [(8191, 200), (8192, 400)])
def test_custom_metadata_has_8_kib_at_most(ask, size, status):
    ask("POST", "/upload/storage/v1/b/limits/o?uploadType=media&name=m", b"x")
    metadata = {"metadata": {"a": "b" * size}}
    response, _ = ask("PATCH", "/storage/v1/b/limits/o/m", metadata)
    assert response.status == status


def test_a_chunk_below_256_kib_that_is_not_the_last_is_refused(ask, session):
    for total in ("*", 300 * KIB):
        answer = ask("PUT", session, b"x" * (100 * KIB), Content_Range=f"bytes 0-102399/{total}")
        assert message(answer)[0] == 400
        assert "equal or greater than 262144" in message(answer)[1]
    response, _ = ask("PUT", session, Content_Range="bytes */*")
    assert (response.status, response.headers["Range"]) == (308, None)


def test_of_a_chunk_that_is_no_multiple_of_256_kib_the_rest_is_sent_again(ask, session):
    content = bytes(range(256)) * 1600  # 400 KiB
    response, _ = ask("PUT", session, content, Content_Range="bytes 0-409599/*")
    assert (response.status, response.headers["Range"]) == (308, "bytes=0-262143")
    rest = content[256 * KIB :]
    response, info = ask("PUT", session, rest, Content_Range="bytes 262144-409599/409600")
    assert (response.status, info["size"]) == (200, "409600")
