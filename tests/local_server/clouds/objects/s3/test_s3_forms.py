"""Presigned POST as boto3 makes it and a browser sends it, through the emulator's one port."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid

import boto3
import pytest
import requests
from botocore.config import Config

KEYS = "cloudserve"


@pytest.fixture(scope="module")
def strict(new_emulator):
    running = new_emulator(None, auth="strict")
    running.aws("s3").create_bucket(Bucket="forms")
    yield running
    running.stop()


@pytest.fixture(params=["s3v4", "s3"], scope="module")
def client(strict, request):
    return boto3.client(
        "s3",
        endpoint_url=strict.url,
        aws_access_key_id=KEYS,
        aws_secret_access_key=KEYS,
        region_name="us-east-1",
        config=Config(signature_version=request.param),
    )


def form(client, key="k", fields=None, conditions=None, expires=60):
    return client.generate_presigned_post(
        "forms", key, Fields=fields, Conditions=conditions, ExpiresIn=expires
    )


def send(post, content=b"hello", name="a.txt", **fields):
    return requests.post(
        post["url"],
        data={**post["fields"], **fields},
        files={"file": (name, content)},
        timeout=60,
        allow_redirects=False,
    )


def code(answer) -> str:
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_a_form_uploads_its_file(strict, client):
    fields = {"Content-Type": "text/plain", "x-amz-meta-a": "1"}
    answer = send(form(client, fields=fields, conditions=[{name: fields[name]} for name in fields]))
    assert answer.status_code == 204
    got = strict.aws("s3").get_object(Bucket="forms", Key="k")
    assert (got["Body"].read(), got["ContentType"]) == (b"hello", "text/plain")
    assert got["Metadata"] == {"a": "1"}
    assert answer.headers["etag"] == got["ETag"]


def test_the_name_of_the_file_may_be_in_the_key(strict, client):
    answer = send(form(client, "up/${filename}"), name="ü.txt")
    assert answer.status_code == 204
    assert strict.aws("s3").head_object(Bucket="forms", Key="up/ü.txt")["ContentLength"] == 5


def test_the_form_chooses_its_answer(client):
    fields = {"success_action_status": "201"}
    answer = send(form(client, fields=fields, conditions=[fields]))
    assert (answer.status_code, "<Key>k</Key>" in answer.text) == (201, True)
    fields = {"success_action_redirect": "http://localhost/done"}
    answer = send(form(client, fields=fields, conditions=[fields]))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("http://localhost/done?bucket=forms&key=k&etag=")


@pytest.mark.parametrize(
    ("options", "sent", "refused"),
    [
        ({"expires": -1}, {}, "AccessDenied"),
        ({}, {"key": "other"}, "AccessDenied"),
        ({}, {"x-amz-meta-extra": "1"}, "AccessDenied"),
        ({}, {"policy": "e30="}, "SignatureDoesNotMatch"),
        ({"conditions": [["starts-with", "$Content-Type", "image/"]]}, {}, "AccessDenied"),
        ({"conditions": [["content-length-range", 1, 4]]}, {}, "EntityTooLarge"),
        ({"conditions": [["content-length-range", 6, 9]]}, {}, "EntityTooSmall"),
    ],
    ids=str,
)
def test_a_form_beyond_its_policy_uploads_nothing(strict, client, options, sent, refused):
    key = uuid.uuid4().hex
    answer = send(form(client, key, **options), **sent)
    assert code(answer) == refused
    assert "Contents" not in strict.aws("s3").list_objects_v2(Bucket="forms", Prefix=key)


def test_the_refusal_names_the_condition(client):
    conditions = [["starts-with", "$Content-Type", "image/"]]
    answer = send(form(client, conditions=conditions))
    assert json.dumps(conditions[0]).replace('"', "") in answer.text.replace("&quot;", "").replace(
        '"', ""
    )


@pytest.mark.parametrize("fields", [{}, {"key": "k"}], ids=str)
def test_a_form_without_a_policy_is_refused(strict, fields):
    url = f"{strict.url}/forms"
    answer = requests.post(url, data=fields, files={"file": b"x"}, timeout=60)
    assert code(answer) == ("AccessDenied" if fields else "InvalidArgument")
    no_file = requests.post(url, files={"key": (None, "k")}, timeout=60)
    assert code(no_file) == "MalformedPOSTRequest"


def test_unsigned_requests_are_denied(strict):
    strict.aws("s3").put_object(Bucket="forms", Key="secret", Body=b"x")
    for target, status, name in (
        ("forms/secret", 403, "AccessDenied"),
        ("forms", 403, "AccessDenied"),
    ):
        answer = requests.get(f"{strict.url}/{target}", timeout=60)
        assert (answer.status_code, code(answer)) == (status, name)
    headers = {"user-agent": "Boto3/1 Botocore/1"}
    answer = requests.get(f"{strict.url}/no-such-bucket/k", headers=headers, timeout=60)
    assert (answer.status_code, code(answer)) == (404, "NoSuchBucket")
    answer = requests.get(f"{strict.url}/no-such-bucket/k", timeout=60)
    assert answer.status_code == 404
    legacy = {"authorization": "AWS cloudserve:c2ln", "date": "now"}
    answer = requests.get(f"{strict.url}/forms/secret", headers=legacy, timeout=60)
    assert (answer.status_code, code(answer)) == (400, "InvalidRequest")


def test_a_form_of_signature_version_2_is_refused_in_newer_regions(emulator):
    emulator.aws("s3").create_bucket(
        Bucket="newer", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    for version, region, status in (("s3", "us-east-1", 400), ("s3v4", "eu-central-1", 204)):
        client = boto3.client(
            "s3",
            endpoint_url=emulator.url,
            aws_access_key_id="a",
            aws_secret_access_key="a",
            region_name=region,
            config=Config(signature_version=version),
        )
        answer = send(client.generate_presigned_post("newer", "k"))
        assert (answer.status_code, "AWS4-HMAC-SHA256" in answer.text) == (status, status == 400)


@pytest.mark.parametrize(("version", "seconds"), [("s3v4", 0), ("s3", -1)])
def test_a_presigned_url_expires_even_if_signatures_are_not_checked(emulator, version, seconds):
    emulator.make_bucket("expiring")
    client = boto3.client(
        "s3",
        endpoint_url=emulator.url,
        aws_access_key_id="a",
        aws_secret_access_key="a",
        region_name="us-east-1",
        config=Config(signature_version=version),
    )
    client.put_object(Bucket="expiring", Key="k", Body=b"hello") if version == "s3v4" else None
    name = {"Bucket": "expiring", "Key": "k"}
    url = client.generate_presigned_url("get_object", Params=name, ExpiresIn=60)
    emulator.aws("s3").put_object(**name, Body=b"hello")
    assert requests.get(url, timeout=60).content == b"hello"
    old = client.generate_presigned_url("get_object", Params=name, ExpiresIn=seconds)
    answer = requests.get(old, timeout=60)
    assert (answer.status_code, code(answer)) == (403, "AccessDenied")
    assert "Request has expired" in answer.text


def test_a_bucket_may_be_in_the_host_and_have_the_name_of_a_route(emulator):
    port = emulator.url.rpartition(":")[2]
    emulator.make_bucket("endpoints")
    client = boto3.client(
        "s3",
        endpoint_url=f"http://localhost:{port}",
        aws_access_key_id="a",
        aws_secret_access_key="a",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "virtual"}),
    )
    url = client.generate_presigned_url("put_object", Params={"Bucket": "endpoints", "Key": "a/é"})
    host = f"endpoints.localhost:{port}"
    assert url.startswith(f"http://{host}/a/")
    local = url.replace(host, f"127.0.0.1:{port}")
    request = urllib.request.Request(local, b"1", {"Host": host}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    plain = emulator.aws("s3")
    assert plain.get_object(Bucket="endpoints", Key="a/é")["Body"].read() == b"1"
    plain.put_object(Bucket="endpoints", Key="e/invocations", Body=b"2")
    assert plain.get_object(Bucket="endpoints", Key="e/invocations")["Body"].read() == b"2"
    upload = plain.create_multipart_upload(Bucket="endpoints", Key="e/invocations")
    assert upload["UploadId"]
