"""What a web page of another site can do to the offline clouds: nothing."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from xml.etree import ElementTree as ET

import pytest

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312"

EVIL = "https://evil.example"
PAGE = f"A web page of '{EVIL}', another site, sent this request: it is refused."
NAME = "The host 'evil.example:8900' is not a name of this server: --allow-host allows one."
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=k/20261121/us-east-1/{}/aws4_request, SignedHeaders=host,"
    " Signature=0"
)
SIMPLE = {"Content-Type": "text/plain", "Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
REBOUND = {"Host": "evil.example:8900"}
MODEL = {
    "ModelName": "evil",
    "ExecutionRoleArn": "arn:aws:iam::000000000000:role/r",
    "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://models/d/"},
}


@pytest.fixture(scope="module")
def ask(clouds):
    connection = HTTPConnection("127.0.0.1", clouds.emulator.port, timeout=60)

    def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    yield send
    connection.close()


@pytest.mark.parametrize(("headers", "sentence"), [(SIMPLE, PAGE), (REBOUND, NAME)])
class TestEachServiceRefusesInItsOwnForm:
    def test_a_bucket_of_google_is_not_made(self, ask, clouds, headers, sentence):
        body = b'{"name": "evil-bucket"}'
        status, answer = ask("POST", "/storage/v1/b?project=p", body, headers)
        assert status == 403
        assert json.loads(answer)["error"]["message"] == sentence
        with clouds.gcs() as client:
            assert not client.bucket("evil-bucket").exists()

    def test_an_upload_is_not_read(self, ask, clouds, headers, sentence):
        path = "/upload/storage/v1/b/models/o?uploadType=media&name=evil"
        status, answer = ask("POST", path, b"x" * 1000, headers)
        assert (status, json.loads(answer)["error"]["message"]) == (403, sentence)
        with clouds.gcs() as client:
            assert client.bucket("models").get_blob("evil") is None

    def test_a_model_of_vertex_ai_is_not_made(self, ask, headers, sentence):
        path = "/v1/projects/p/locations/us-central1/models:upload"
        status, answer = ask("POST", path, b"{}", headers)
        error = {"code": 403, "message": sentence, "status": "PERMISSION_DENIED"}
        assert (status, json.loads(answer)) == (403, {"error": error})

    def test_a_model_of_sagemaker_is_not_made(self, ask, clouds, headers, sentence):
        signed = {
            "X-Amz-Target": "SageMaker.CreateModel",
            "Authorization": SIGNED.format("sagemaker"),
        }
        status, answer = ask("POST", "/", json.dumps(MODEL).encode(), {**headers, **signed})
        assert status == 403
        assert json.loads(answer) == {"__type": "AccessDeniedException", "message": sentence}
        names = [m["ModelName"] for m in clouds.aws("sagemaker").list_models()["Models"]]
        assert "evil" not in names

    def test_a_bucket_of_s3_is_not_made(self, ask, clouds, headers, sentence):
        signed = {"Authorization": SIGNED.format("s3")}
        status, answer = ask("PUT", "/evil-bucket", b"", {**headers, **signed})
        error = ET.fromstring(answer)
        assert (status, error.findtext("Code")) == (403, "AccessDenied")
        assert error.findtext("Message") == sentence

    def test_faults_are_not_set(self, ask, headers, sentence):
        status, answer = ask("POST", "/_cloudserve/faults", b'{"faults": []}', headers)
        assert (status, json.loads(answer)["error"]["message"]) == (403, sentence)


def test_hosts_that_are_allowed_and_their_pages_are_answered(start_emulator):
    running = start_emulator(None, allow_hosts=("host.docker.internal",))
    connection = HTTPConnection("127.0.0.1", running.emulator.port, timeout=60)
    for headers in (
        {"Host": "host.docker.internal:8900"},
        {"Host": "localhost:8900"},
        {"Host": "bucket.localhost:8900"},
        {"Origin": "http://host.docker.internal:3000"},
    ):
        connection.request("GET", "/storage/v1/b?project=p", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["kind"]) == (200, "storage#buckets")
    connection.close()
