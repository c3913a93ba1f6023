"""Signed URLs, POST policies and the XML API, through the emulator's one port."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.oauth2 import service_account

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def gcs(emulator):
    account = emulator.environment["GOOGLE_APPLICATION_CREDENTIALS"]
    client = storage.Client(
        project="p",
        credentials=service_account.Credentials.from_service_account_file(account),
        client_options={"api_endpoint": emulator.url},
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def bucket(gcs):
    return gcs.create_bucket("signed")


@pytest.fixture
def blob(bucket):
    return bucket.blob(f"{uuid.uuid4().hex}/a b+c&é.txt")


def sign(blob, emulator, version="v4", method="GET", **options):
    options = {"expiration": MINUTE} | options
    return blob.generate_signed_url(
        version=version, method=method, api_access_endpoint=emulator.url, **options
    )


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def send(method, url, **options):
    return requests.request(method, url, timeout=60, **options)


@pytest.mark.parametrize("version", ["v2", "v4"])
class TestSignedUrls:
    def test_an_object_is_written_read_and_deleted(self, emulator, bucket, blob, version):
        url = sign(blob, emulator, version, "PUT", content_type="text/plain")
        done = send("PUT", url, data=b"hello", headers={"content-type": "text/plain"})
        assert done.status_code == 200
        stored = bucket.get_blob(blob.name)
        assert (stored.content_type, done.headers["x-goog-generation"]) == (
            "text/plain",
            str(stored.generation),
        )
        got = send("GET", sign(blob, emulator, version))
        assert (got.content, got.headers["etag"]) == (
            b"hello",
            f'"{hashlib.md5(b"hello").hexdigest()}"',
        )
        part = send("GET", sign(blob, emulator, version), headers={"range": "bytes=1-2"})
        assert (part.status_code, part.content) == (206, b"el")
        assert send("HEAD", sign(blob, emulator, version, "HEAD")).headers["content-length"] == "5"
        assert send("DELETE", sign(blob, emulator, version, "DELETE")).status_code == 204
        assert error(send("GET", sign(blob, emulator, version))) == (404, "NoSuchKey")

    def test_it_opens_what_it_names_only(self, emulator, bucket, blob, version):
        blob.upload_from_string(b"hello")
        url = sign(blob, emulator, version)
        wrong = (403, "SignatureDoesNotMatch")
        assert error(send("GET", url.replace("txt?", "tx?"))) == wrong
        assert error(send("PUT", url, data=b"other")) == wrong
        assert error(send("DELETE", url)) == wrong
        assert blob.download_as_bytes() == b"hello"

    def test_it_expires(self, emulator, blob, version):
        blob.upload_from_string(b"hello")
        now = dt.datetime.now(dt.UTC)
        if version == "v2":
            url = sign(blob, emulator, version, expiration=now - MINUTE)
        else:
            url = sign(blob, emulator, version).replace(f"{now:%Y%m%d}T", "20200101T")
        assert error(send("GET", url)) == (400, "ExpiredToken")

    def test_a_resumable_upload_is_started_by_it(self, emulator, blob, version):
        url = sign(blob, emulator, version, "RESUMABLE")
        begun = send("POST", url, headers={"x-goog-resumable": "start"})
        assert begun.status_code == 201
        session = begun.headers["location"]
        chunk = bytes(256 << 10)
        first = {"content-range": f"bytes 0-{len(chunk) - 1}/*"}
        assert send("PUT", session, data=chunk, headers=first).status_code == 308
        last = {"content-range": f"bytes {len(chunk)}-{len(chunk)}/{len(chunk) + 1}"}
        assert send("PUT", session, data=b"x", headers=last).status_code == 200
        assert blob.download_as_bytes() == chunk + b"x"


def test_overrides_and_versions_are_signed_too(emulator, blob):
    blob.upload_from_string(b"hello")
    url = sign(
        blob, emulator, response_type="image/png", response_disposition="attachment",
        generation=blob.generation,
    )  # fmt: skip
    got = send("GET", url)
    assert (got.headers["content-type"], got.headers["content-disposition"]) == (
        "image/png",
        "attachment",
    )


def test_a_wrong_query_is_refused(emulator, blob):
    url = sign(blob, emulator)
    for wrong in (
        url.replace("X-Goog-Expires=60", "X-Goog-Expires=604801"),
        url.replace("X-Goog-Expires=60", "X-Goog-Expires=x"),
        url.replace("X-Goog-SignedHeaders=host", "X-Goog-SignedHeaders=date"),
        url.replace("&X-Goog-Signature=", "&X-Goog-Signature=zz"),
    ):
        assert error(send("GET", wrong)) == (400, "AuthorizationQueryParametersError")


def form(gcs, key, conditions=(), fields=None, expiration=MINUTE):
    return gcs.generate_signed_post_policy_v4(
        "signed", key, expiration, conditions=list(conditions), fields=fields or {}
    )


def post(policy, content=b"hello", /, **fields):
    data = {**policy["fields"], **fields}
    return send("POST", policy["url"], data=data, files={"file": ("a.txt", content)})


def test_a_form_uploads_its_file(gcs, bucket):
    policy = form(gcs, "formed", fields={"content-type": "text/plain", "x-goog-meta-a": "1"})
    assert post(policy).status_code == 204
    got = bucket.get_blob("formed")
    assert (got.content_type, got.metadata, got.size) == ("text/plain", {"a": "1"}, 5)
    shown = post(form(gcs, "formed", fields={"success_action_status": "201"}))
    assert (shown.status_code, "<Key>formed</Key>" in shown.text) == (201, True)


@pytest.mark.parametrize(
    ("options", "sent", "expected"),
    [
        ({"expiration": -MINUTE}, {}, (400, "InvalidPolicyDocument")),
        ({}, {"key": "other"}, (400, "InvalidPolicyDocument")),
        ({}, {"x-goog-meta-b": "1"}, (400, "InvalidPolicyDocument")),
        ({}, {"policy": "e30="}, (403, "SignatureDoesNotMatch")),
        ({"conditions": [["content-length-range", 0, 4]]}, {}, (400, "EntityTooLarge")),
        ({"conditions": [["content-length-range", 6, 9]]}, {}, (400, "EntityTooSmall")),
    ],
    ids=str,
)
def test_a_form_beyond_its_policy_uploads_nothing(gcs, bucket, options, sent, expected):
    key = uuid.uuid4().hex
    assert error(post(form(gcs, key, **options), **sent)) == expected
    assert bucket.get_blob(key) is None


BEARER = {"authorization": "Bearer ya29.local", "x-goog-api-version": "2"}


@pytest.fixture
def xml(emulator):
    def call(method, target, headers=None, **options):
        return send(method, f"{emulator.url}/{target}", headers=BEARER | (headers or {}), **options)

    return call


def test_buckets_are_created_listed_and_deleted(xml, gcs):
    body = (
        "<CreateBucketConfiguration><LocationConstraint>EU</LocationConstraint>"
        "<StorageClass>NEARLINE</StorageClass></CreateBucketConfiguration>"
    )
    made = xml("PUT", "xml-made", {"x-goog-project-id": "p"}, data=body)
    assert made.status_code == 200
    assert (gcs.get_bucket("xml-made").location, gcs.get_bucket("xml-made").storage_class) == (
        "EU",
        "NEARLINE",
    )
    assert "<Name>xml-made</Name>" in xml("GET", "", {"x-goog-project-id": "p"}).text
    assert ">EU<" in xml("GET", "xml-made?location").text
    assert "<Permission>FULL_CONTROL</Permission>" in xml("GET", "xml-made?acl").text
    assert xml("HEAD", "xml-made").status_code == 200
    assert error(xml("PUT", "xml-made", {"x-goog-project-id": "p"})) == (
        409,
        "BucketAlreadyOwnedByYou",
    )
    assert xml("DELETE", "xml-made").status_code == 204
    assert error(xml("GET", "xml-made")) == (404, "NoSuchBucket")


def test_objects_are_written_under_conditions_and_copied(xml, bucket):
    absent = {"x-goog-if-generation-match": "0"}
    headers = {"x-goog-meta-a": "1", "cache-control": "no-store", "content-type": "text/plain"}
    assert xml("PUT", "signed/x/1", absent | headers, data=b"one").status_code == 200
    assert error(xml("PUT", "signed/x/1", absent, data=b"two")) == (412, "PreconditionFailed")
    got = xml("GET", "signed/x/1")
    assert (got.content, got.headers["x-goog-meta-a"], got.headers["cache-control"]) == (
        b"one",
        "1",
        "no-store",
    )
    etag = got.headers["etag"]
    assert xml("GET", "signed/x/1", {"if-none-match": etag}).status_code == 304
    assert error(xml("GET", "signed/x/1", {"if-match": '"0"'})) == (412, "PreconditionFailed")
    copied = xml("PUT", "signed/x/2", {"x-goog-copy-source": "/signed/x/1"})
    assert copied.status_code == 200
    assert bucket.get_blob("x/2").metadata == {"a": "1"}
    wrong = {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    assert error(xml("PUT", "signed/x/3", wrong, data=b"x")) == (400, "BadDigest")
    assert bucket.get_blob("x/3") is None


def test_objects_are_listed_in_pages(xml, bucket):
    for name in ("l/a", "l/d/1", "l/d/2", "l/z"):
        bucket.blob(name).upload_from_string(b"")
    first = xml("GET", "signed?prefix=l/&delimiter=/&max-keys=2").text
    assert "<Key>l/a</Key>" in first
    assert "<NextMarker>l/d/</NextMarker>" in first
    second = xml("GET", "signed?prefix=l/&delimiter=/&max-keys=2&marker=l/d/").text
    assert "<Key>l/z</Key>" in second
    assert "<IsTruncated>false" in second
    token = xml("GET", "signed?list-type=2&prefix=l/&max-keys=3").text
    token = token.partition("<NextContinuationToken>")[2].partition("<")[0]
    rest = xml("GET", f"signed?list-type=2&prefix=l/&continuation-token={token}").text
    assert rest.count("<Key>") == 1


@pytest.mark.parametrize("target", ["signed?acl", "signed?lifecycle", "signed/k?tagging"])
def test_missing_operations_are_refused_by_name(xml, target):
    answer = xml("PUT", target)
    assert error(answer) == (501, "NotImplemented")
    assert target.partition("?")[2] in answer.text
    public = xml("PUT", "signed/public", {"x-goog-acl": "public-read"}, data=b"x")
    assert error(public) == (501, "NotImplemented")


def test_nobody_may_read_without_a_signature(emulator, bucket):
    bucket.blob("secret").upload_from_string(b"x")
    answer = send("GET", f"{emulator.url}/signed/secret")
    assert error(answer) == (403, "AccessDenied")
    assert "Anonymous caller does not have storage.objects.get access" in answer.text
    token = {"authorization": "Bearer ya29.local"}
    assert send("GET", f"{emulator.url}/signed/secret", headers=token).content == b"x"


def test_metadata_and_parameters_add_no_headers(xml, bucket):
    blob = bucket.blob("odd")
    blob.metadata = {"a\r\nx-evil": "1", "b": "2\r\nx-evil: 3"}
    blob.upload_from_string(b"x")
    got = xml("GET", "signed/odd")
    assert (got.status_code, "x-evil" in got.headers) == (200, False)
    assert got.headers["x-goog-meta-b"] == "2%0D%0Ax-evil%3A%203"
    wrong = xml("GET", "signed/odd?response-content-type=a%0D%0Ax-evil:1")
    assert error(wrong) == (400, "InvalidArgument")


def test_a_bucket_may_be_in_the_host(emulator, bucket):
    host = f"signed.localhost:{emulator.url.rpartition(':')[2]}"
    headers = BEARER | {"host": host}
    assert send("PUT", f"{emulator.url}/h/é", headers=headers, data=b"1").status_code == 200
    assert bucket.blob("h/é").download_as_bytes() == b"1"


def test_the_sdk_without_credentials_still_uploads_in_parts(emulator, bucket):
    anonymous = storage.Client(
        "p", AnonymousCredentials(), client_options={"api_endpoint": emulator.url}
    )
    assert anonymous.bucket("signed").blob("missing").exists() is False
    anonymous.close()
    assert json.loads(send("GET", f"{emulator.url}/storage/v1/b/nope").text)["error"]["code"] == 404
