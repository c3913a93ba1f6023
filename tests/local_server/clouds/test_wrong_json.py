"""Bodies that are no JSON, or JSON of the wrong kind: each service's 400, in its own form."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest

NOT_JSON = {
    "a key that is not UTF-8": b'{"\xff":"x"}',
    "a string that is not UTF-8": b'{"name":"\xff"}',
    "an encoded surrogate": b'{"name":"\xed\xa0\x80"}',
    "half a surrogate pair": rb'{"name":"\ud800"}',
    "NaN": b'{"name":NaN}',
    "a huge number": b'{"name":' + b"9" * 5000 + b"}",
    "deep nesting": b'{"name":' * 100_000,
    "nesting that only the reader bears": b'{"name":' * 500 + b"1" + b"}" * 500,
    "another encoding": '{"name":"x"}'.encode("utf-16"),
}
NO_OBJECT = {"a list": b"[]", "a number": b"3", "a string": b'"x"', "true": b"true"}
WRONG = NOT_JSON | NO_OBJECT

PARENT = "/v1/projects/p/locations/us-central1"
GOOGLE = ["/v1/projects/p/models", f"{PARENT}/endpoints", f"{PARENT}/models:upload"]
RELATED = {"Content-Type": "multipart/related; boundary=B"}
GCS = {
    "buckets.insert": ("POST", "/storage/v1/b?project=p", {}),
    "objects.patch": ("PATCH", "/storage/v1/b/wrong-json/o/k", {}),
    "objects.update": ("PUT", "/storage/v1/b/wrong-json/o/k", {}),
    "objects.compose": ("POST", "/storage/v1/b/wrong-json/o/k/compose", {}),
    "objects.rewrite": ("POST", "/storage/v1/b/wrong-json/o/k/rewriteTo/b/wrong-json/o/m", {}),
    "multipart": ("POST", "/upload/storage/v1/b/wrong-json/o?uploadType=multipart", RELATED),
    "resumable": ("POST", "/upload/storage/v1/b/wrong-json/o?uploadType=resumable&name=r", {}),
}


@pytest.fixture(scope="module")
def send(clouds):
    """Give a function that sends a request to an emulator that has the object wrong-json/k."""
    with clouds.gcs() as gcs:
        gcs.create_bucket("wrong-json").blob("k").upload_from_string("v")
    address = urlsplit(clouds.url)

    def request(method, target, body, headers):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)

    return request


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("call", GCS)
def test_cloud_storage_answers_a_parse_error(send, call, body):
    method, target, headers = GCS[call]
    if call == "multipart":
        part = b"--B\r\nContent-Type: application/json\r\n\r\n"
        body = part + body + b"\r\n--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"
    status, answer = send(method, target, body, headers)
    assert (status, answer["error"]["code"]) == (400, 400)
    (error,) = answer["error"]["errors"]
    assert (error["reason"], error["domain"]) == ("parseError", "global")
    assert error["message"].startswith("Parse Error")


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("target", GOOGLE)
def test_googles_services_answer_an_invalid_argument(send, target, body):
    status, answer = send("POST", target, body, {"Content-Type": "application/json"})
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    "target", ["SageMaker.CreateModel", "GraniteServiceVersion20100801.PutMetricAlarm"]
)
def test_aws_answers_a_serialization_exception(send, target, body):
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    status, answer = send("POST", "/", body, headers)
    assert (status, answer["__type"].rpartition("#")[2]) == (400, "SerializationException")


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_fault_rules_that_are_not_json_are_refused(send, body):
    headers = {"Content-Type": "application/json"}
    status, answer = send("POST", "/_cloudserve/faults", body, headers)
    assert (status, answer["error"]["code"]) == (400, 400)
    assert answer["error"]["message"].startswith("Invalid fault rules: ")
