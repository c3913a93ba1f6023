"""GetObjectAttributes, single parts, and the settings of a bucket that nobody configured."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
PART = 5 << 20


def error_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.fixture(scope="module")
def in_parts(s3):
    """Upload an object in two parts, with checksums."""
    name = {"Bucket": "bkt", "Key": "in-parts"}
    upload = s3.create_multipart_upload(**name, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = [
        s3.upload_part(
            **name, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
        )
        | {"PartNumber": number}
        for number, body in ((1, b"a" * PART), (2, b"tail"))
    ]
    named = [
        {each: part[each] for each in ("PartNumber", "ETag", "ChecksumSHA256")} for part in parts
    ]
    s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload={"Parts": named})
    return name | {"checksums": [part["ChecksumSHA256"] for part in parts]}


def test_the_attributes_of_a_plain_object(s3):
    put = s3.put_object(Bucket="bkt", Key="plain", Body=b"hello")
    got = s3.get_object_attributes(Bucket="bkt", Key="plain", ObjectAttributes=ALL)
    assert got["ETag"] == put["ETag"].strip('"')
    assert got["Checksum"]["ChecksumCRC32"] == put["ChecksumCRC32"]
    assert (got["ObjectSize"], got["StorageClass"]) == (5, "STANDARD")
    assert "ObjectParts" not in got
    only = s3.get_object_attributes(Bucket="bkt", Key="plain", ObjectAttributes=["ObjectSize"])
    assert only.keys() - {"ResponseMetadata", "LastModified"} == {"ObjectSize"}


def test_the_parts_of_an_object_are_listed_in_pages(s3, in_parts):
    name = {"Bucket": "bkt", "Key": "in-parts", "ObjectAttributes": ALL}
    parts = s3.get_object_attributes(**name)["ObjectParts"]
    assert parts["TotalPartsCount"] == 2
    assert [(each["PartNumber"], each["Size"]) for each in parts["Parts"]] == [(1, PART), (2, 4)]
    assert [each["ChecksumSHA256"] for each in parts["Parts"]] == in_parts["checksums"]
    second = s3.get_object_attributes(**name, PartNumberMarker=1, MaxParts=1)["ObjectParts"]
    assert [each["PartNumber"] for each in second["Parts"]] == [2]
    assert not second["IsTruncated"]


def test_one_part_is_read_by_its_number(s3, in_parts):
    name = {"Bucket": "bkt", "Key": "in-parts"}
    got = s3.get_object(**name, PartNumber=2, ChecksumMode="ENABLED")
    assert got["Body"].read() == b"tail"
    assert (got["PartsCount"], got["ContentRange"]) == (2, f"bytes {PART}-{PART + 3}/{PART + 4}")
    assert got["ChecksumSHA256"] == in_parts["checksums"][1]
    assert s3.head_object(**name, PartNumber=1)["ContentLength"] == PART
    with pytest.raises(ClientError) as beyond:
        s3.get_object(**name, PartNumber=3)
    assert error_of(beyond) == (416, "InvalidPartNumber")
    with pytest.raises(ClientError) as both:
        s3.get_object(**name, PartNumber=1, Range="bytes=0-1")
    assert error_of(both) == (400, "InvalidRequest")
    s3.copy_object(Bucket="bkt", Key="one-piece", CopySource="bkt/in-parts")
    assert "PartsCount" not in s3.head_object(Bucket="bkt", Key="one-piece", PartNumber=1)


def test_unknown_attributes_are_refused(s3):
    with pytest.raises(ClientError) as wrong:
        s3.get_object_attributes(Bucket="bkt", Key="plain", ObjectAttributes=["Colour"])
    assert error_of(wrong) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_policy_status", "NoSuchBucketPolicy"),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ],
)
def test_settings_that_nobody_made_are_reported_in_s3s_words(s3, operation, code):
    with pytest.raises(ClientError) as unset:
        getattr(s3, operation)(Bucket="bkt")
    assert error_of(unset) == (404, code)
    with pytest.raises(ClientError) as missing:
        getattr(s3, operation)(Bucket="no-such-bucket")
    assert error_of(missing) == (404, "NoSuchBucket")


def test_settings_with_a_default_have_those_of_a_new_bucket(s3):
    bucket = {"Bucket": "bkt"}
    (rule,) = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"].values()) == {
        True
    }
    (grant,) = s3.get_bucket_acl(**bucket)["Grants"]
    assert (grant["Permission"], grant["Grantee"]["Type"]) == ("FULL_CONTROL", "CanonicalUser")
    (rule,) = s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"]
    assert rule == {"ObjectOwnership": "BucketOwnerEnforced"}
    assert s3.get_bucket_request_payment(**bucket)["Payer"] == "BucketOwner"
    for operation in (
        "get_bucket_logging",
        "get_bucket_notification_configuration",
        "get_bucket_accelerate_configuration",
    ):
        assert getattr(s3, operation)(**bucket).keys() == {"ResponseMetadata"}


def test_changing_a_setting_is_refused_by_name(s3):
    with pytest.raises(ClientError, match="policy") as refused:
        s3.put_bucket_policy(Bucket="bkt", Policy="{}")
    assert error_of(refused) == (501, "NotImplemented")


def test_an_object_without_object_lock_has_no_retention(s3):
    s3.put_object(Bucket="bkt", Key="plain", Body=b"hello")
    assert s3.get_object_acl(Bucket="bkt", Key="plain")["Owner"]["ID"] == "000000000000"
    for operation in (s3.get_object_retention, s3.get_object_legal_hold):
        with pytest.raises(ClientError, match="Object Lock Configuration") as refused:
            operation(Bucket="bkt", Key="plain")
        assert error_of(refused) == (400, "InvalidRequest")
