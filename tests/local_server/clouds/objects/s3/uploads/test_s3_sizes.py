"""Limits of S3 that depend on a request's head alone, and keys that it refuses."""

from __future__ import annotations

import http.client
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import ClientError

GIB = 1 << 30


def refused(port: int, path: str, headers: dict[str, str]) -> tuple[int, str | None]:
    """Send the head of a PUT without a body; return the status and the code."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.putrequest("PUT", path)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    code = ET.fromstring(response.read()).findtext("Code")
    connection.close()
    return response.status, code


@pytest.mark.parametrize("name", ["Content-Length", "x-amz-decoded-content-length"])
@pytest.mark.parametrize("query", ["", "?partNumber=1&uploadId={upload}"])
def test_more_than_5_gib_in_one_request_are_refused_before_the_body(s3, s3_port, name, query):
    upload = s3.create_multipart_upload(Bucket="bkt", Key="big")["UploadId"]
    path = "/bkt/big" + query.format(upload=upload)
    headers = {"Content-Length": "1", name: str(5 * GIB + 1)}
    assert refused(s3_port, path, headers) == (400, "EntityTooLarge")


def test_a_presigned_url_is_valid_for_a_week_at_most(s3, s3_port):
    s3.put_object(Bucket="bkt", Key="a", Body=b"hello")
    for seconds, status in ((604_800, 200), (604_801, 400), (-1, 400)):
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = "k%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
        query = f"X-Amz-Credential={scope}&X-Amz-Date={stamp}&X-Amz-Expires={seconds}"
        connection = http.client.HTTPConnection("127.0.0.1", s3_port)
        connection.request("GET", f"/bkt/a?{query}&X-Amz-Signature=0")
        answer = connection.getresponse()
        assert answer.status == status
        assert status == 200 or b"AuthorizationQueryParametersError" in answer.read()
        connection.close()


def test_a_deletion_of_several_objects_needs_a_checksum(s3_port):
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    connection = http.client.HTTPConnection("127.0.0.1", s3_port)
    connection.request("POST", "/bkt?delete", body)
    answer = connection.getresponse()
    assert (answer.status, b"Content-MD5" in answer.read()) == (400, True)
    connection.close()


def test_a_body_of_unknown_length_is_refused(s3, s3_port):
    head = {"Transfer-Encoding": "chunked"}
    assert refused(s3_port, "/bkt/chunked", head) == (501, "NotImplemented")


@pytest.mark.parametrize(
    "framing",
    [
        {"Content-Encoding": "aws-chunked"},
        {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
    ],
)
def test_a_framed_body_has_a_decoded_length(s3, s3_port, framing):
    head = {"Content-Length": "5", **framing}
    assert refused(s3_port, "/bkt/framed", head) == (411, "MissingContentLength")


def test_an_empty_body_has_a_length_too(s3, s3_port):
    assert refused(s3_port, "/bkt/empty", {}) == (411, "MissingContentLength")
    s3.put_object(Bucket="bkt", Key="empty", Body=b"")


@pytest.mark.parametrize("key", ["../a", "..", "a/../../b", "a//../../b", "./../a"])
def test_a_key_that_leaves_the_bucket_is_refused_with_an_empty_body(s3, key):
    for call in (
        lambda: s3.put_object(Bucket="bkt", Key=key, Body=b""),
        lambda: s3.head_object(Bucket="bkt", Key=key),
        lambda: s3.create_multipart_upload(Bucket="bkt", Key=key),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "400"


@pytest.mark.parametrize("key", ["a/../b", "a/b/../../c", "./a", "a/./b", "...", "a..b", "/a"])
def test_other_keys_with_dots_are_keys(s3, key):
    s3.put_object(Bucket="bkt", Key=key, Body=b"hello")
    assert s3.get_object(Bucket="bkt", Key=key)["Body"].read() == b"hello"
