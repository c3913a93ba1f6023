"""What S3's refusals look like, over a real socket and boto3."""

from __future__ import annotations

import pytest
from cloudserve.adapters.aws.sagemaker.provider import create

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.project import Target
from cloudserve.storage.contract import Expect
from cloudserve.storage.events import Reporter
from tests.adapters.aws.scripted import FIELDS, KEYS


def blobs_at(url):
    return create(Target("aws", "sagemaker", FIELDS), {**KEYS, "AWS_ENDPOINT_URL": url}).blobs


def s3_error(status, code, message):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return status, {"Content-Type": "application/xml"}, body


def test_a_bucket_that_is_forbidden_names_the_permission(scripted, tmp_path, lines):
    server = scripted(
        lambda request: (
            (403, {}, b"")
            if request.method == "HEAD"
            else s3_error(403, "AccessDenied", "Access Denied")
        )
    )
    blobs = blobs_at(server.url)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for call, permission in (
        (lambda: blobs.ensure(Reporter(lines.append)), "ListBucket"),
        (lambda: blobs.head("a"), "GetObject"),
        (lambda: blobs.read("a"), "GetObject"),
        (lambda: blobs.write("a", b"x", Expect.ABSENT), "PutObject"),
        (lambda: blobs.upload("a", file, {}), "PutObject"),
        (lambda: list(blobs.list("")), "ListBucket"),
        (lambda: blobs.delete("a"), "DeleteObject"),
    ):
        with pytest.raises(RemoteError) as error:
            call()
        assert error.value.status == 403
        assert f"s3:{permission} on arn:aws:s3:::some-bucket" in error.value.hint
        assert "s3://some-bucket" in error.value.message


def test_a_missing_object_that_s3_refuses_needs_the_permission_that_s3_names(scripted):
    """Without s3:ListBucket, S3 answers 403 to reads of missing objects (aws/aws-cli#2041)."""
    message = (
        "User: arn:u is not authorized to perform: s3:ListBucket on resource:"
        ' "arn:aws:s3:::some-bucket" because no identity-based policy allows it'
    )
    server = scripted(
        lambda request: (
            (403, {}, b"")
            if request.method == "HEAD"
            else s3_error(403, "AccessDenied", message.replace('"', "&quot;"))
        )
    )
    blobs = blobs_at(server.url)
    with pytest.raises(RemoteError) as error:
        blobs.read("missing")
    assert error.value.hint == "allow arn:u the action s3:ListBucket on arn:aws:s3:::some-bucket"
    with pytest.raises(RemoteError) as error:
        blobs.head("missing")
    assert error.value.hint == (
        "allow these credentials s3:GetObject on arn:aws:s3:::some-bucket/*, and s3:ListBucket on"
        " arn:aws:s3:::some-bucket: without it, S3 refuses missing objects"
    )


def test_a_conditional_write_whose_answer_was_lost_is_not_a_conflict(scripted):
    puts = [None, s3_error(412, "PreconditionFailed", "At least one did not hold")]

    def answer_to(request):
        if request.method == "PUT":
            return puts.pop(0)
        return 200, {"ETag": '"tok"'}, b"mine"

    assert blobs_at(scripted(answer_to).url).write("a", b"mine", Expect.ABSENT) == '"tok"'


def test_a_conditional_write_that_lost_against_another_is_a_conflict(scripted):
    puts = [None, s3_error(412, "PreconditionFailed", "At least one did not hold")]

    def answer_to(request):
        return puts.pop(0) if request.method == "PUT" else (200, {"ETag": '"tok"'}, b"theirs")

    with pytest.raises(ConflictError):
        blobs_at(scripted(answer_to).url).write("a", b"mine", Expect.ABSENT)


def test_two_conditional_writes_at_once_are_a_conflict(scripted):
    text = "The conditional request cannot succeed due to a conflicting operation"
    server = scripted(lambda request: s3_error(409, "ConditionalRequestConflict", text))
    with pytest.raises(ConflictError):
        blobs_at(server.url).write("a", b"mine", Expect.ABSENT)


def test_a_bucket_is_made_in_the_targets_region(scripted, lines):
    server = scripted(lambda request: (404 if request.method == "HEAD" else 200, {}, b""))
    blobs_at(server.url).ensure(Reporter(lines.append))
    assert b"<LocationConstraint>eu-west-1</LocationConstraint>" in server.requests[-1].body
    assert lines == ["make the bucket s3://some-bucket in eu-west-1"]
