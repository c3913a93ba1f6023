"""S3's copies as an unmodified boto3 asks for them."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

MIB = 1 << 20


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_large_object_is_copied_in_parts(s3, tmp_path):
    content = os.urandom(9 * MIB)
    s3.put_object(Bucket="bkt", Key="copy/source", Body=content)
    s3.copy({"Bucket": "bkt", "Key": "copy/source"}, "bkt", "copy/target")
    assert s3.get_object(Bucket="bkt", Key="copy/target")["Body"].read() == content


def test_a_copy_keeps_or_replaces_the_metadata(s3):
    s3.put_object(Bucket="bkt", Key="c/1", Body=b"x", Metadata={"a": "1"})
    source = {"Bucket": "bkt", "Key": "c/1"}
    s3.copy_object(Bucket="bkt", Key="c/2", CopySource=source)
    assert s3.head_object(Bucket="bkt", Key="c/2")["Metadata"] == {"a": "1"}
    s3.copy_object(
        Bucket="bkt", Key="c/1", CopySource=source, Metadata={"b": "2"}, MetadataDirective="REPLACE"
    )
    assert s3.head_object(Bucket="bkt", Key="c/1")["Metadata"] == {"b": "2"}
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket="bkt", Key="c/1", CopySource=source)
    assert code_of(refused) == (400, "InvalidRequest")


def test_a_copy_of_an_object_of_parts_has_an_etag_of_its_own_bytes(s3):
    content = bytes(5 * MIB) + b"end"
    upload = s3.create_multipart_upload(Bucket="bkt", Key="parts/source")
    name = {"Bucket": "bkt", "Key": "parts/source", "UploadId": upload["UploadId"]}
    parts = []
    for number, body in ((1, content[: 5 * MIB]), (2, content[5 * MIB :])):
        sent = s3.upload_part(**name, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    done = s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-2"')
    copied = s3.copy_object(
        Bucket="bkt", Key="parts/copy", CopySource={"Bucket": "bkt", "Key": "parts/source"}
    )
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"CopySourceIfMatch": "ETAG"}, True),
        ({"CopySourceIfMatch": '"0"'}, False),
        ({"CopySourceIfNoneMatch": '"0"'}, True),
        ({"CopySourceIfNoneMatch": "ETAG"}, False),
        ({"CopySourceIfUnmodifiedSince": DAY}, True),
        ({"CopySourceIfUnmodifiedSince": -DAY}, False),
        ({"CopySourceIfModifiedSince": -DAY}, True),
        ({"CopySourceIfModifiedSince": DAY}, False),
        ({"CopySourceIfMatch": "ETAG", "CopySourceIfUnmodifiedSince": -DAY}, True),
    ],
)
def test_a_copy_is_made_only_when_its_conditions_hold_of_the_source(s3, condition, holds):
    etag = s3.put_object(Bucket="bkt", Key="if/source", Body=b"content")["ETag"]
    s3.delete_object(Bucket="bkt", Key="if/target")
    fields = {"ETAG": etag, DAY: datetime.now(UTC) + DAY, -DAY: datetime.now(UTC) - DAY}
    source = {name: fields.get(value, value) for name, value in condition.items()}
    if holds:
        s3.copy_object(Bucket="bkt", Key="if/target", CopySource="bkt/if/source", **source)
    else:
        with pytest.raises(ClientError) as refused:
            s3.copy_object(Bucket="bkt", Key="if/target", CopySource="bkt/if/source", **source)
        assert code_of(refused) == (412, "PreconditionFailed")
    assert s3.list_objects_v2(Bucket="bkt", Prefix="if/target")["KeyCount"] == int(holds)


def test_a_part_is_copied_of_a_span_that_lies_within_its_source(s3):
    s3.put_object(Bucket="bkt", Key="span/source", Body=b"0123456789")
    begun = s3.create_multipart_upload(Bucket="bkt", Key="span/target")
    name = {"Bucket": "bkt", "Key": "span/target", "UploadId": begun["UploadId"]}
    for span in ("bytes=5-", "bytes=-5", "bytes=8-10", "bytes=4-3", "2-4"):
        with pytest.raises(ClientError) as refused:
            s3.upload_part_copy(
                **name, PartNumber=1, CopySource="bkt/span/source", CopySourceRange=span
            )
        assert code_of(refused) == (400, "InvalidArgument")
    copied = s3.upload_part_copy(
        **name, PartNumber=1, CopySource="bkt/span/source", CopySourceRange="bytes=7-9"
    )
    parts = {"Parts": [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]}
    s3.complete_multipart_upload(**name, MultipartUpload=parts)
    assert s3.get_object(Bucket="bkt", Key="span/target")["Body"].read() == b"789"
