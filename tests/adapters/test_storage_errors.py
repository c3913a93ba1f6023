"""What a bucket's service refuses is reported with what to do about it."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.aws.s3.store import S3Blobs
from cloudserve.adapters.aws.session import Access as AwsAccess
from cloudserve.adapters.google.credentials import Access as GoogleAccess
from cloudserve.adapters.google.gcs.store import GcsBlobs
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloudserve.errors import RemoteError, UnreachableError
from cloudserve.storage.contract import Part, UploadGoneError
from cloudserve.storage.events import Reporter
from cloudserve.storage.upload.file_slice import FileSlice

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def s3(url):
    environ = {"AWS_ENDPOINT_URL": url, **KEYS}
    return S3Blobs("models", region="us-east-1", access=AwsAccess(environ, "us-east-1"))


def gcs(url):
    return GcsBlobs("models", project="p", region="r", access=GoogleAccess({}), emulator=url)


def xml(code, status, message="no", **headers):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    answer = (status, {"Content-Type": "application/xml", **headers}, body.encode())
    return lambda request: answer


@pytest.fixture
def body(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with FileSlice(path) as window:
        yield window


def refused(call):
    with pytest.raises(RemoteError) as error:
        call()
    return error.value


@pytest.mark.parametrize(
    ("call", "permission"),
    [
        (lambda store, body: store.put("k", body, {}), "s3:PutObject on arn:aws:s3:::models/*"),
        (lambda store, body: store.begin("k", {}), "s3:PutObject on arn:aws:s3:::models/*"),
        (
            lambda store, body: store.parts("k", "u"),
            "s3:ListMultipartUploadParts on arn:aws:s3:::models/*",
        ),
        (lambda store, body: store.read("k"), "s3:GetObject on arn:aws:s3:::models/*"),
        (lambda store, body: list(store.list("k")), "s3:ListBucket on arn:aws:s3:::models"),
        (lambda store, body: store.delete("k"), "s3:DeleteObject on arn:aws:s3:::models/*"),
    ],
    ids=["put", "begin", "parts", "read", "list", "delete"],
)
def test_s3_names_the_permission_that_is_missing(scripted, body, call, permission):
    server = scripted(xml("AccessDenied", 403, "Access Denied"))
    error = refused(lambda: call(s3(server.url), body))
    assert error.hint == f"allow these credentials {permission}"
    assert (error.status, error.retryable) == (403, False)


def test_s3_without_the_permission_to_look_resumes_nothing(scripted):
    server = scripted(xml("AccessDenied", 403, "Access Denied"))
    assert s3(server.url).open_uploads("k") == ()


def test_s3_names_the_region_that_the_bucket_is_in(scripted, body):
    answer = xml("PermanentRedirect", 301, "Wrong.", **{"x-amz-bucket-region": "eu-west-1"})
    error = refused(lambda: s3(scripted(answer).url).put("k", body, {}))
    assert error.hint == (
        "the bucket s3://models is in `eu-west-1`: set the target's `region` to it"
    )


def test_s3_names_the_region_that_a_refused_signature_should_be_for(scripted, body):
    status, headers, document = xml("AuthorizationHeaderMalformed", 400, "wrong region")(None)
    document = document.replace(b"</Error>", b"<Region>eu-west-1</Region></Error>")
    server = scripted(lambda request: (status, headers, document))
    error = refused(lambda: s3(server.url).put("k", body, {}))
    assert error.hint == (
        "the bucket s3://models is in `eu-west-1`: set the target's `region` to it"
    )


def test_s3_names_a_clock_that_is_wrong(scripted, body):
    error = refused(lambda: s3(scripted(xml("RequestTimeTooSkewed", 403)).url).put("k", body, {}))
    assert "set this machine's clock" in error.hint


def test_s3_names_a_bucket_that_is_missing(scripted, body):
    error = refused(lambda: s3(scripted(xml("NoSuchBucket", 404)).url).put("k", body, {}))
    assert error.hint == "make the bucket s3://models first, or correct the target's `bucket`"


def test_s3_names_credentials_that_are_missing(body, monkeypatch, tmp_path):
    for variable in (*KEYS, "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    # A request is signed before it is sent: nothing leaves for AWS.
    blobs = S3Blobs("models", region="us-east-1", access=AwsAccess({}, "us-east-1"))
    error = refused(lambda: blobs.put("k", body, {}))
    assert "no usable AWS credentials" in error.message
    assert "aws configure" in error.hint


@pytest.mark.parametrize("code", ["BadDigest", "IncompleteBody", "RequestTimeout"])
def test_s3_bytes_that_were_damaged_on_the_way_are_worth_another_attempt(scripted, body, code):
    assert refused(lambda: s3(scripted(xml(code, 400)).url).put("k", body, {})).retryable


def test_s3_reports_how_long_it_wants_to_be_left_alone(scripted, body):
    answer = xml("SlowDown", 503, "Slow down", **{"Retry-After": "7"})
    error = refused(lambda: s3(scripted(answer).url).put("k", body, {}))
    assert (error.retry_after, error.retryable) == (7.0, True)


def test_gcs_hands_on_the_permission_that_google_names(scripted):
    message = "ada does not have storage.multipartUploads.create access to the bucket."
    answer = xml("AccessDenied", 403, "Access denied.")
    details = (
        403,
        {},
        answer(None)[2].replace(b"</Error>", f"<Details>{message}</Details></Error>".encode()),
    )
    error = refused(lambda: gcs(scripted(lambda request: details).url).begin("k", {}))
    assert message in error.message
    assert "grant the account the permission" in error.hint


def test_gcs_assumes_that_a_forbidden_bucket_exists(scripted):
    text = "ada does not have storage.buckets.get access to the Google Cloud Storage bucket."
    answer = json.dumps({"error": {"code": 403, "message": text}}).encode()
    server = scripted(lambda request: (403, {"Content-Type": "application/json"}, answer))
    lines = []
    gcs(server.url).ensure(Reporter(lines.append))
    assert lines == []
    assert {request.method for request in server.requests} == {"GET"}


@pytest.fixture
def account(tmp_path):
    """Give a function that writes a service account's file for a token service."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )

    def write(url):
        path = tmp_path / "account.json"
        about = {
            "type": "service_account",
            "client_email": "ada@example.org",
            "private_key": key.decode(),
            "token_uri": f"{url}/token",
        }
        path.write_text(json.dumps(about))
        return path

    return write


def test_gcs_names_a_clock_that_is_wrong(scripted, account, body):
    # As oauth2.googleapis.com answers a JSON web token of another time.
    text = (
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
        "timeframe. Check your iat and exp values in the JWT claim."
    )
    answer = json.dumps({"error": "invalid_grant", "error_description": text}).encode()
    server = scripted(lambda request: (400, {"Content-Type": "application/json"}, answer))
    access = GoogleAccess({"GOOGLE_APPLICATION_CREDENTIALS": str(account(server.url))})
    store = GcsBlobs("models", project="p", region="r", access=access)
    for call in (lambda: store.put("k", body, {}), lambda: store.begin("k", {})):
        error = refused(call)
        assert "no usable Google credentials" in error.message
        assert "set this machine's clock" in error.hint
    assert {request.path for request in server.requests} == {"/token"}


def test_gcs_names_a_bucket_that_is_missing(scripted):
    error = refused(lambda: gcs(scripted(xml("NoSuchBucket", 404)).url).begin("k", {}))
    assert error.hint == "make the bucket gs://models first, or correct the target's `bucket`"


def test_gcs_reports_how_long_it_wants_to_be_left_alone(scripted):
    answer = xml("SlowDown", 429, "Slow down", **{"Retry-After": "7"})
    error = refused(lambda: gcs(scripted(answer).url).begin("k", {}))
    assert (error.retry_after, error.retryable) == (7.0, True)


@pytest.mark.parametrize(("generation", "deleted"), [("1", True), ("2", False)])
def test_gcs_deletes_what_it_joined_wrongly_and_nothing_of_anybody_else(
    scripted, generation, deleted
):
    result = {"name": "k", "size": "3", "generation": generation, "crc32c": "AAAAAA=="}

    def answer(request):
        if request.method == "POST":
            return 200, {"x-goog-generation": "1"}, b"<CompleteMultipartUploadResult/>"
        document = json.dumps(result).encode() if request.method == "GET" else b""
        return 200 if document else 204, {"Content-Type": "application/json"}, document

    server = scripted(answer)
    part = Part(1, 3, "etag", "NhCmhg==")
    if deleted:
        assert isinstance(
            refused(lambda: gcs(server.url).complete("k", "u", [part])), UploadGoneError
        )
    else:
        gcs(server.url).complete("k", "u", [part])
    assert ("DELETE" in {request.method for request in server.requests}) is deleted


def test_gcs_without_multipart_uploads_begins_none(scripted):
    assert gcs(scripted(xml("NotImplemented", 501)).url).begin("k", {}) is None


def test_invalid_answers_of_gcs_are_reported(scripted):
    error = refused(lambda: gcs(scripted(lambda request: (200, {}, b"<html>")).url).begin("k", {}))
    assert "the answer cannot be read" in error.message
    assert error.retryable


@pytest.mark.parametrize("make", [s3, gcs])
def test_an_address_without_a_server_is_reported(nobody, body, make):
    error = refused(lambda: make(nobody).begin("k", {}))
    assert isinstance(error, UnreachableError)
    assert (error.where, error.retryable) == (nobody, True)
