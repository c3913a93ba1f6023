"""What Cloud Storage's failures look like, over a real socket."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.google.ai_platform.provider import create
from cloudserve.adapters.google.vertex.provider import create as create_vertex

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.project import Target
from cloudserve.storage.contract import Expect
from cloudserve.storage.events import Reporter
from cloudserve.storage.upload.file_slice import FileSlice


def answer(status, body):
    return status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(body).encode()


def gcs_at(url):
    fields = {"bucket": "gs://some-bucket", "project": "p"}
    return create(Target("gcp", "ai-platform", fields), {"STORAGE_EMULATOR_HOST": url}).blobs


def not_met():
    error = {"domain": "global", "reason": "conditionNotMet", "message": "Precondition Failed"}
    return answer(412, {"error": {"code": 412, "message": error["message"], "errors": [error]}})


@pytest.mark.parametrize(("content", "ours"), [(b"mine", True), (b"theirs", False)])
def test_a_conditional_write_whose_answer_was_lost_knows_its_own_bytes(scripted, content, ours):
    posts = [None, not_met()]

    def answer_to(request):
        if request.method == "POST":
            return posts.pop(0)
        return 200, {"X-Goog-Generation": "17"}, content

    blobs = gcs_at(scripted(answer_to).url)
    if ours:
        assert blobs.write("a", b"mine", Expect.ABSENT) == "17"
    else:
        with pytest.raises(ConflictError):
            blobs.write("a", b"mine", Expect.ABSENT)


def test_a_bucket_that_is_forbidden_says_so(scripted, tmp_path):
    text = "a@p.iam does not have storage.objects.get access to the Google Cloud Storage object."
    server = scripted(lambda request: answer(403, {"error": {"code": 403, "message": text}}))
    blobs = gcs_at(server.url)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for call in (
        lambda: blobs.head("a"),
        lambda: blobs.read("a"),
        lambda: blobs.write("a", b"x"),
        lambda: blobs.upload("a", file, {}),
        lambda: list(blobs.list("")),
        lambda: blobs.delete("a"),
    ):
        with pytest.raises(RemoteError, match="gs://some-bucket") as error:
            call()
        assert error.value.message.endswith(f": {text}")
        assert error.value.status == 403
        assert error.value.hint.startswith("grant the account the permission")


def test_a_forbidden_bucket_is_assumed_to_exist(scripted, clouds, lines):
    server = scripted(lambda request: answer(403, {"error": {"code": 403, "message": "no"}}))
    environ = {**clouds, "STORAGE_EMULATOR_HOST": server.url}
    fields = {"bucket": "gs://some-bucket", "project": "p"}
    blobs = create_vertex(Target("gcp", "vertex", fields), environ).blobs
    blobs.ensure(Reporter(lines.append))
    assert lines == []
    assert blobs.location() is None


def test_a_bucket_name_that_is_taken_says_to_choose_another(scripted, lines):
    error = {"message": "taken", "status": "CONFLICT"}
    server = scripted(
        lambda request: answer(409 if request.method == "POST" else 404, {"error": error})
    )
    with pytest.raises(RemoteError, match="taken by another project"):
        gcs_at(server.url).ensure(Reporter(lines.append))
    assert json.loads(server.requests[-1].body)["location"] == "us-central1"


def test_an_upload_that_arrived_damaged_is_an_error(scripted, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 9 * 2**20)

    def answer_to(request):
        if request.method == "POST":
            place = f"http://{request.headers['Host']}/upload/session"
            return 200, {"Location": place}, b"{}"
        return answer(200, {"name": "a", "size": str(9 * 2**20), "crc32c": "AAAAAA=="})

    store = gcs_at(scripted(answer_to).url)
    damaged = pytest.raises(RemoteError, match="what arrived is not what was sent")
    with damaged as error, FileSlice(file) as body:
        store.put("a", body, {})
    assert error.value.retryable
