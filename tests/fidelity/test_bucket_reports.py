"""What people report that S3 and Cloud Storage refuse, replayed against the offline buckets."""

from __future__ import annotations

import pytest

from tests.fidelity.clients import check_refused


def create_in(region):
    """Return a step that makes a bucket of the row's name with this location constraint."""
    where = {"LocationConstraint": region}
    return lambda clouds: clouds.aws.s3.create_bucket(
        Bucket=clouds.name, CreateBucketConfiguration=where
    )


def complete_small_parts(clouds):
    """Complete a multipart upload whose first part has one byte."""
    s3, named = clouds.aws.s3, {"Bucket": "models", "Key": clouds.name}
    named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**named, PartNumber=number, Body=b"x")["ETag"],
        }
        for number in (1, 2)
    ]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})


def write_again(clouds):
    """Write an object that must not be there yet."""
    blob = clouds.gcs.bucket("models").blob("half/1/saved_model.pb")
    blob.upload_from_string(b"", if_generation_match=0)


REPORTS = [
    pytest.param(
        create_in("us-east-1"),
        "InvalidLocationConstraint: The specified location-constraint is not valid",
        "S3 API reference, CreateBucket, LocationConstraint",
        r"InvalidLocationConstraint: The specified location-constraint is not valid",
        id="us-east-1 as a location constraint",
    ),
    pytest.param(
        lambda clouds: clouds.aws.s3.create_bucket(Bucket="My_Models"),
        "InvalidBucketName: The specified bucket is not valid.",
        "S3 user guide, bucket naming rules",
        r"InvalidBucketName: The specified bucket is not valid\.",
        id="a bucket with capitals and an underscore",
    ),
    pytest.param(
        lambda clouds: clouds.aws.s3.delete_bucket(Bucket="models"),
        "BucketNotEmpty: The bucket you tried to delete is not empty",
        "S3 API reference, error responses",
        r"BucketNotEmpty: The bucket you tried to delete is not empty",
        id="the removal of a bucket with objects, on S3",
    ),
    pytest.param(
        complete_small_parts,
        "EntityTooSmall: Your proposed upload is smaller than the minimum allowed size",
        "S3 API reference, CompleteMultipartUpload",
        r"EntityTooSmall: Your proposed upload is smaller than the minimum allowed size",
        id="parts of less than 5 MiB",
    ),
    pytest.param(
        lambda clouds: clouds.gcs.create_bucket("models"),
        "409 Your previous request to create the named bucket succeeded and you already own it.",
        "Cloud Storage JSON API, buckets.insert",
        r"409: .*Your previous request to create the named bucket succeeded .*",
        id="a bucket that exists",
    ),
    pytest.param(
        lambda clouds: clouds.gcs.bucket("models").delete(),
        "409 The bucket you tried to delete is not empty.",
        "Cloud Storage JSON API, buckets.delete",
        r"409: .*The bucket you tried to delete is not empty\.?",
        id="the removal of a bucket with objects, on Cloud Storage",
    ),
    pytest.param(
        write_again,
        "412 At least one of the pre-conditions you specified did not hold.",
        "Cloud Storage, request preconditions",
        r"412: .*At least one of the pre-conditions you specified did not hold\..*",
        id="an object that must not be there, and is",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), REPORTS)
def test_the_rehearsal_is_refused_where_the_bucket_refuses(done, cloud, written, rehearsal, clouds):
    check_refused(done, cloud, written, rehearsal, clouds)
