"""Uploads as bytes on a socket: announced checksums are verified, broken uploads leave nothing."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import zlib
from collections.abc import Mapping

import pytest
from cloudserve.local_server.clouds.objects.store.store import ObjectStore

CRC32 = base64.b64encode(zlib.crc32(b"hello world").to_bytes(4, "big")).decode()
FRAMED = f"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:{CRC32}\r\n\r\n".encode()
TRAILER = {
    "Content-Encoding": "aws-chunked",
    "X-Amz-Trailer": "x-amz-checksum-crc32",
    "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "X-Amz-Decoded-Content-Length": "11",
}
WRONG_MD5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()


def send(
    port: int, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, target, body, dict(headers or {}))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


@pytest.fixture(scope="module", autouse=True)
def _bucket(served):
    served.create_bucket("bkt")


def staged(store: ObjectStore) -> list[str]:
    return [path.name for path in (store.root / "staging").iterdir()]


# S3


def test_a_framed_body_with_a_trailer_is_stored_without_its_frame(served, s3_port):
    status, _, headers = send(s3_port, "PUT", "/bkt/framed", FRAMED, TRAILER)
    info = served.get("bkt", "framed")
    assert (status, headers["x-amz-checksum-crc32"]) == (200, CRC32)
    assert served.path(info).read_bytes() == b"hello world"
    assert "content-encoding" not in info.properties.headers


def test_a_framed_body_comes_in_http_chunks_too(served, s3_port):
    connection = http.client.HTTPConnection("127.0.0.1", s3_port, timeout=20)
    pieces = [FRAMED[:5], FRAMED[5:20], FRAMED[20:]]
    connection.request("PUT", "/bkt/chunked", iter(pieces), TRAILER, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert served.path(served.get("bkt", "chunked")).read_bytes() == b"hello world"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"x-amz-checksum-crc32": "AAAAAA=="}, b"hello", 400, "BadDigest"),
        ({"x-amz-checksum-crc32c": "AAAAAA=="}, b"hello", 400, "BadDigest"),
        ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, b"hello", 400, "BadDigest"),
        ({"x-amz-checksum-sha256": "A" * 43 + "="}, b"hello", 400, "BadDigest"),
        ({"x-amz-checksum-sha1": "A" * 27 + "="}, b"hello", 400, "BadDigest"),
        ({"x-amz-checksum-crc32": "not base64"}, b"hello", 400, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAA"}, b"hello", 400, "InvalidRequest"),
        ({"x-amz-checksum-xxhash64": "AAAAAAAAAAA="}, b"hello", 501, "NotImplemented"),
        (
            {"x-amz-checksum-crc32": "NhCmhg==", "x-amz-checksum-sha1": "x"},
            b"hello",
            400,
            "InvalidRequest",
        ),
        ({"Content-MD5": WRONG_MD5}, b"hello", 400, "BadDigest"),
        ({"Content-MD5": "nonsense"}, b"hello", 400, "InvalidDigest"),
        ({"x-amz-content-sha256": "0" * 64}, b"hello", 400, "XAmzContentSHA256Mismatch"),
        (TRAILER, FRAMED.replace(b"hello", b"hullo"), 400, "BadDigest"),
        (TRAILER, FRAMED[:-4], 400, "IncompleteBody"),
        (TRAILER, b"zz\r\n", 400, "IncompleteBody"),
        (TRAILER, b"b\r\nhello world\r\n0\r\n\r\n", 400, "InvalidRequest"),
        (TRAILER | {"X-Amz-Decoded-Content-Length": "12"}, FRAMED, 400, "IncompleteBody"),
        ({"If-None-Match": '"abc"'}, b"hello", 501, "NotImplemented"),
        ({"x-amz-website-redirect-location": "/"}, b"hello", 501, "NotImplemented"),
        ({"x-amz-tagging": "a=1&a=2"}, b"hello", 400, "InvalidArgument"),
        ({"x-amz-storage-class": "GLACIER"}, b"hello", 501, "NotImplemented"),
        ({"x-amz-meta-a": "x" * 2048}, b"hello", 400, "MetadataTooLarge"),
    ],
)
def test_an_upload_that_is_not_as_announced_is_refused_and_leaves_nothing(
    served, s3_port, headers, body, status, code
):
    answered, content, answer_headers = send(s3_port, "PUT", "/bkt/wrong", body, headers)
    assert (answered, answer_headers["content-type"]) == (status, "application/xml")
    assert f"<Code>{code}</Code>".encode() in content
    assert served.find("bkt", "wrong") is None
    assert staged(served) == []


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("PATCH", "/bkt/k", b"", 501, "NotImplemented"),
        ("GET", "/bkt/%ff", b"", 400, "InvalidURI"),
        ("PUT", "/bkt/" + "k" * 1025, b"", 400, "KeyTooLongError"),
        ("PUT", "/ab", b"", 400, "InvalidBucketName"),
        ("PUT", "/192.168.5.4", b"", 400, "InvalidBucketName"),
        ("PUT", "/xn--models", b"", 400, "InvalidBucketName"),
        ("PUT", "/models-s3alias", b"", 400, "InvalidBucketName"),
        ("PUT", "/models--x-s3", b"", 400, "InvalidBucketName"),
        ("PUT", "/new-bucket", b"<Create", 400, "MalformedXML"),
        ("POST", "/bkt?delete", b"<!DOCTYPE x><Delete/>", 400, "MalformedXML"),
        ("POST", "/bkt?delete", b"<Delete></Delete>", 400, "MalformedXML"),
        ("POST", "/bkt/k?uploadId=none", b"", 404, "NoSuchUpload"),
        ("PUT", "/bkt/k?uploadId=none&partNumber=1", b"x", 404, "NoSuchUpload"),
        ("GET", "/bkt?list-type=2&max-keys=x", b"", 400, "InvalidArgument"),
        ("GET", "/bkt?list-type=2&continuation-token=%21", b"", 400, "InvalidArgument"),
        ("GET", "/bkt?list-type=2&continuation-token=%C3%A9", b"", 400, "InvalidArgument"),
        (
            "POST",
            "/bkt?delete",
            b'<?xml version="1.0" encoding="x"?><Delete/>',
            400,
            "MalformedXML",
        ),
        ("GET", "/bkt?list-type=2&max-keys=" + "9" * 5000, b"", 400, "InvalidArgument"),
        ("GET", "/bkt/k?torrent", b"", 501, "NotImplemented"),
    ],
)
def test_a_wrong_s3_request_gets_an_error_document(s3_port, method, target, body, status, code):
    answered, content, _ = send(s3_port, method, target, body)
    assert (answered, content[:5]) == (status, b"<?xml")
    assert f"<Code>{code}</Code>".encode() in content


def test_an_upload_whose_client_disconnects_is_not_an_object(served, s3_port):
    with socket.create_connection(("127.0.0.1", s3_port)) as client:
        client.sendall(b"PUT /bkt/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        client.sendall(b"x" * 5000)
        client.shutdown(socket.SHUT_WR)
        assert b" 200 " not in client.makefile("rb").read()
    assert served.find("bkt", "cut") is None


def test_a_bucket_that_does_not_exist_refuses_before_the_body_is_sent(s3_port):
    with socket.create_connection(("127.0.0.1", s3_port)) as client:
        client.sendall(
            b"PUT /no-bucket/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 404 ")


# GCS


def test_a_wrong_checksum_in_the_metadata_is_refused_and_leaves_nothing(served, gcs_port):
    for wrong in ({"crc32c": "AAAAAA=="}, {"md5Hash": WRONG_MD5}, {"crc32c": "nonsense"}):
        metadata = json.dumps({"name": "wrong", **wrong}).encode()
        body = b"--B\r\n\r\n" + metadata + b"\r\n--B\r\n\r\nhello\r\n--B--"
        status, content, _ = send(
            gcs_port,
            "POST",
            "/upload/storage/v1/b/bkt/o?uploadType=multipart",
            body,
            {"Content-Type": "multipart/related; boundary=B"},
        )
        error = json.loads(content)["error"]
        assert (status, error["code"], error["errors"][0]["reason"]) == (400, 400, "invalid")
        assert served.find("bkt", "wrong") is None
        assert staged(served) == []


CHUNK = bytes(range(256)) * 1024
"""256 KiB, the least that a chunk may have which is not the last."""


def begin(port: int, name: str, query: str = "", headers: Mapping[str, str] | None = None) -> str:
    target = f"/upload/storage/v1/b/bkt/o?uploadType=resumable&name={name}{query}"
    status, content, answer = send(port, "POST", target, b"", headers)
    assert status == 200, content
    return answer["location"].removeprefix(f"http://127.0.0.1:{port}")


def put_range(
    port: int, where: str, body: bytes, span: str, **headers: str
) -> tuple[int, bytes, str | None]:
    status, content, answer = send(
        port, "PUT", where, body, {"Content-Range": f"bytes {span}", **headers}
    )
    return status, content, answer["range"]


def test_a_resumable_upload_reports_its_state_and_continues(served, gcs_port):
    where = begin(gcs_port, "resumed")
    assert put_range(gcs_port, where, b"", "*/*")[::2] == (308, None)
    assert put_range(gcs_port, where, CHUNK, "0-262143/*")[::2] == (308, "bytes=0-262143")
    assert put_range(gcs_port, where, b"", "*/262149")[::2] == (308, "bytes=0-262143")
    status, content, _ = put_range(gcs_port, where, b"world", "262144-262148/262149")
    assert (status, json.loads(content)["size"]) == (200, "262149")
    assert served.path(served.get("bkt", "resumed")).read_bytes() == CHUNK + b"world"
    again, repeated, _ = put_range(gcs_port, where, b"", "*/262149")
    assert (again, json.loads(repeated)["generation"]) == (200, json.loads(content)["generation"])


def test_a_repeated_chunk_may_overlap_and_a_gap_is_refused(served, gcs_port):
    where = begin(gcs_port, "overlap")
    put_range(gcs_port, where, CHUNK, "0-262143/*")
    assert put_range(gcs_port, where, b"x", "262145-262145/262149")[0] == 400
    rest = CHUNK[262141:] + b"world"
    assert put_range(gcs_port, where, rest, "262141-262148/262149")[0] == 200
    assert served.path(served.get("bkt", "overlap")).read_bytes() == CHUNK + b"world"


def test_the_condition_of_a_resumable_upload_holds_at_its_end(served, gcs_port):
    where = begin(gcs_port, "raced", "&ifGenerationMatch=0")
    winner = served.writer()
    winner.write(b"winner")
    served.put("bkt", "raced", winner.finish())
    status, content, _ = put_range(gcs_port, where, b"loser", "0-4/5")
    assert (status, json.loads(content)["error"]["errors"][0]["reason"]) == (412, "conditionNotMet")
    assert served.path(served.get("bkt", "raced")).read_bytes() == b"winner"


def test_a_resumable_upload_with_a_wrong_checksum_is_refused_and_over(served, gcs_port):
    where = begin(gcs_port, "badsum")
    wrong = {"X-Goog-Hash": "crc32c=AAAAAA=="}
    assert put_range(gcs_port, where, b"hello", "0-4/5", **wrong)[0] == 400
    assert put_range(gcs_port, where, b"", "*/5")[0] == 404
    assert served.find("bkt", "badsum") is None


def test_a_cancelled_session_is_gone(gcs_port):
    where = begin(gcs_port, "cancelled")
    assert send(gcs_port, "DELETE", where)[0] == 499
    assert put_range(gcs_port, where, b"", "*/*")[0] == 404


def test_an_upload_of_another_size_than_announced_is_refused(gcs_port):
    where = begin(gcs_port, "sized", headers={"X-Upload-Content-Length": "5"})
    assert put_range(gcs_port, where, b"hello!", "0-5/6")[0] == 400
    assert put_range(gcs_port, where, b"hello", "0-4/5")[0] == 200


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "reason"),
    [
        ("GET", "/storage/v1/b/bkt/o/none", b"", 404, "notFound"),
        ("GET", "/storage/v1/b/bkt/acl", b"", 501, "notImplemented"),
        ("POST", "/batch/storage/v1", b"", 400, "invalid"),
        ("GET", "/storage/v1/b/bkt/o?pageToken=%21", b"", 400, "invalid"),
        ("GET", "/storage/v1/b/bkt/o?pageToken=%C3%A9", b"", 400, "invalid"),
        ("GET", "/storage/v1/b?project=p&pageToken=%C3%A9", b"", 400, "invalid"),
        ("GET", "/storage/v1/b/bkt/o?maxResults=x", b"", 400, "invalid"),
        ("GET", "/storage/v1/b/bkt/o/k?ifGenerationMatch=x", b"", 404, "notFound"),
        ("POST", "/storage/v1/b", b"{", 400, "parseError"),
        ("POST", "/storage/v1/b", b'{"name": 7}', 400, "invalid"),
        ("POST", "/upload/storage/v1/b/bkt/o?uploadType=media", b"x", 400, "required"),
        ("POST", "/upload/storage/v1/b/bkt/o?uploadType=media&name=..", b"x", 400, "invalid"),
        ("POST", "/upload/storage/v1/b/bkt/o?uploadType=other", b"x", 400, "invalid"),
        ("POST", "/upload/storage/v1/b/bkt/o?uploadType=multipart", b"x", 400, "invalid"),
        ("PUT", "/upload/storage/v1/b/bkt/o?upload_id=none", b"x", 404, "notFound"),
        ("POST", "/storage/v1/b/bkt/o/k/compose", b"{}", 400, "invalid"),
        ("POST", "/storage/v1/b/bkt/o/k/compose", b'{"sourceObjects": [7]}', 400, "invalid"),
        ("GET", "/storage/v1/b/bkt/o?maxResults=" + "9" * 5000, b"", 400, "invalid"),
        ("POST", "/storage/v1/b", b'["name"]', 400, "parseError"),
        ("GET", "/storage/v1/b/%ff", b"", 400, "invalid"),
    ],
)
def test_a_wrong_gcs_request_gets_an_error_in_json(gcs_port, method, target, body, status, reason):
    answered, content, headers = send(gcs_port, method, target, body)
    error = json.loads(content)["error"]
    assert (answered, error["code"], error["errors"][0]["reason"]) == (status, status, reason)
    assert headers["content-type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/bkt/k?uploadId=none&partNumber=0", 400, b"InvalidArgument"),
        ("/bkt/k?uploadId=none&partNumber=1", 404, b"NoSuchUpload"),
        ("/nope/k?uploadId=none&partNumber=1", 404, b"NoSuchUpload"),
    ],
)
def test_a_wrong_request_of_the_xml_api_gets_an_error_in_xml(gcs_port, target, status, code):
    client = {"x-goog-api-client": "gl-python"}
    answered, content, headers = send(gcs_port, "PUT", target, b"x", client)
    assert (answered, headers["content-type"]) == (status, "application/xml; charset=UTF-8")
    assert b"<Code>" + code + b"</Code>" in content


# SIGKILL

SERVER = """
import asyncio, sys
from pathlib import Path
from cloudserve.local_server.clouds.objects.s3.app import S3App
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.transport.http.server import HttpServer

async def main():
    server = HttpServer(S3App(ObjectStore(Path(sys.argv[1]))))
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("sent", [0, 1, 70_000, 299_999, 300_000])
def test_a_server_killed_within_an_upload_has_the_object_whole_or_as_it_was(tmp_path, sent):
    content = os.urandom(300_000)
    with ObjectStore(tmp_path) as store:
        store.create_bucket("bkt")
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline())
        assert send(port, "PUT", "/bkt/k", b"before")[0] == 200
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"PUT /bkt/k HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n")
            client.sendall(content[:sent])
            process.kill()
    with ObjectStore(tmp_path) as store:
        present = store.path(store.get("bkt", "k")).read_bytes()
        assert present in ({b"before", content} if sent == len(content) else {b"before"})
        assert staged(store) == []
