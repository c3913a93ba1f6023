"""S3 as an unmodified boto3 speaks it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3(s3_port) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3_port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, tcp_keepalive=False),
    )
    client.create_bucket(Bucket="bkt")
    yield client
    client.close()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_what_is_put_is_got_with_its_metadata_and_checksum(s3):
    put = s3.put_object(
        Bucket="bkt",
        Key="a/b c+d é.txt",
        Body=b"hello",
        ContentType="text/plain",
        CacheControl="no-store",
        Metadata={"cloudserve-sha256": "0f"},
    )
    got = s3.get_object(Bucket="bkt", Key="a/b c+d é.txt", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"hello"
    assert (got["ContentType"], got["CacheControl"]) == ("text/plain", "no-store")
    assert got["Metadata"] == {"cloudserve-sha256": "0f"}
    assert got["ETag"] == put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"] == "NhCmhg=="


def test_an_empty_object_is_an_object(s3):
    s3.put_object(Bucket="bkt", Key="empty", Body=b"")
    assert s3.get_object(Bucket="bkt", Key="empty")["Body"].read() == b""
    assert s3.head_object(Bucket="bkt", Key="empty")["ContentLength"] == 0


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_every_checksum_that_boto3_computes_is_verified_and_returned(s3, algorithm):
    put = s3.put_object(Bucket="bkt", Key="sum", Body=b"hello", ChecksumAlgorithm=algorithm)
    got = s3.head_object(Bucket="bkt", Key="sum", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]


def test_a_create_only_put_wins_once(s3):
    s3.put_object(Bucket="bkt", Key="lock", Body=b"mine", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="bkt", Key="lock", Body=b"theirs", IfNoneMatch="*")
    assert code_of(refused) == (412, "PreconditionFailed")
    assert s3.get_object(Bucket="bkt", Key="lock")["Body"].read() == b"mine"


def test_a_put_with_if_match_replaces_what_it_names_only(s3):
    etag = s3.put_object(Bucket="bkt", Key="cas", Body=b"1")["ETag"]
    etag = s3.put_object(Bucket="bkt", Key="cas", Body=b"2", IfMatch=etag)["ETag"]
    with pytest.raises(ClientError) as stale:
        s3.put_object(Bucket="bkt", Key="cas", Body=b"3", IfMatch='"0"')
    assert code_of(stale) == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as missing:
        s3.put_object(Bucket="bkt", Key="cas-missing", Body=b"3", IfMatch=etag)
    assert code_of(missing) == (404, "NoSuchKey")


def test_a_large_file_goes_up_in_parts_and_comes_back_the_same(s3, served, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(20 * MIB + 7))
    s3.upload_file(str(source), "bkt", "big")
    head = s3.head_object(Bucket="bkt", Key="big", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert (head["ChecksumType"], head["ChecksumCRC32"][-2:]) == ("COMPOSITE", "-3")
    name = served.get("bkt", "big").address.hex()
    assert list(served.root.glob(f"blobs/*/{name}")) == []  # it is joined for who reads it
    s3.download_file("bkt", "big", str(back))
    assert back.read_bytes() == source.read_bytes()
    assert s3.list_multipart_uploads(Bucket="bkt").get("Uploads", []) == []


def test_a_large_object_is_copied_in_parts(s3, tmp_path):
    content = os.urandom(9 * MIB)
    s3.put_object(Bucket="bkt", Key="copy/source", Body=content)
    s3.copy({"Bucket": "bkt", "Key": "copy/source"}, "bkt", "copy/target")
    assert s3.get_object(Bucket="bkt", Key="copy/target")["Body"].read() == content


def test_parts_are_listed_replaced_completed_and_checked(s3):
    upload = s3.create_multipart_upload(Bucket="bkt", Key="mpu", ChecksumAlgorithm="CRC32")
    name = {"Bucket": "bkt", "Key": "mpu", "UploadId": upload["UploadId"]}
    s3.upload_part(**name, PartNumber=1, Body=b"replaced")
    first = s3.upload_part(**name, PartNumber=1, Body=b"a" * (5 * MIB))
    second = s3.upload_part(**name, PartNumber=2, Body=b"b")
    listed = s3.list_parts(**name)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, 5 * MIB), (2, 1)]
    assert listed[1]["ChecksumCRC32"] == second["ChecksumCRC32"]
    parts = [
        {"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}
        for number, part in ((1, first), (2, second))
    ]

    def complete(parts: list[dict[str, Any]], **more: str) -> dict[str, Any]:
        return s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts}, **more)

    for wrong, code in (
        ([parts[1], parts[0]], "InvalidPartOrder"),
        ([parts[0] | {"ETag": '"0"'}], "InvalidPart"),
        ([parts[0] | {"ChecksumCRC32": "AAAAAA=="}], "InvalidPart"),
        ([parts[0], parts[1] | {"PartNumber": 3}], "InvalidPart"),
    ):
        with pytest.raises(ClientError) as refused:
            complete(wrong)
        assert code_of(refused) == (400, code)
    assert complete(parts, IfNoneMatch="*")["ETag"].endswith('-2"')
    assert s3.get_object(Bucket="bkt", Key="mpu")["Body"].read() == b"a" * (5 * MIB) + b"b"
    with pytest.raises(ClientError) as ended:
        s3.list_parts(**name)
    assert code_of(ended) == (404, "NoSuchUpload")


def test_a_completion_keeps_to_its_condition_and_the_upload_stays(s3):
    s3.put_object(Bucket="bkt", Key="taken", Body=b"first")
    upload = s3.create_multipart_upload(Bucket="bkt", Key="taken")
    name = {"Bucket": "bkt", "Key": "taken", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**name, PartNumber=1, Body=b"second")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    with pytest.raises(ClientError) as refused:
        s3.complete_multipart_upload(**name, MultipartUpload=parts, IfNoneMatch="*")
    assert code_of(refused) == (412, "PreconditionFailed")
    assert s3.get_object(Bucket="bkt", Key="taken")["Body"].read() == b"first"
    s3.complete_multipart_upload(**name, MultipartUpload=parts)
    assert s3.get_object(Bucket="bkt", Key="taken")["Body"].read() == b"second"


def test_a_small_part_that_is_not_the_last_is_refused(s3):
    upload = s3.create_multipart_upload(Bucket="bkt", Key="small")
    name = {"Bucket": "bkt", "Key": "small", "UploadId": upload["UploadId"]}
    etags = [s3.upload_part(**name, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]
    parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    with pytest.raises(ClientError) as refused:
        s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    assert code_of(refused) == (400, "EntityTooSmall")
    s3.abort_multipart_upload(**name)
    with pytest.raises(ClientError) as ended:
        s3.upload_part(**name, PartNumber=1, Body=b"x")
    assert code_of(ended) == (404, "NoSuchUpload")


def test_listings_come_in_pages_with_prefixes(s3):
    keys = ["l/a b", "l/m/1", "l/m/2", "l/n/1", "l/z&<"]
    for key in keys:
        s3.put_object(Bucket="bkt", Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="bkt", Prefix="l/", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    seen = [
        [each["Key"] for each in page.get("Contents", [])]
        + [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        for page in pages
    ]
    assert seen == [["l/a b"], ["l/m/"], ["l/n/"], ["l/z&<"]]
    older = s3.get_paginator("list_objects").paginate(
        Bucket="bkt", Prefix="l/", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    assert len(list(older)) == 4
    started = s3.list_objects_v2(Bucket="bkt", Prefix="l/", StartAfter="l/m/1")
    assert [each["Key"] for each in started["Contents"]] == keys[2:]
    nothing = s3.list_objects_v2(Bucket="bkt", Prefix="l/", MaxKeys=0)
    assert (nothing["KeyCount"], nothing["IsTruncated"]) == (0, False)


def test_ranges_and_conditions_of_a_get(s3):
    etag = s3.put_object(Bucket="bkt", Key="r", Body=b"0123456789")["ETag"]
    part = s3.get_object(Bucket="bkt", Key="r", Range="bytes=2-4", IfMatch=etag)
    assert (part["Body"].read(), part["ContentRange"]) == (b"234", "bytes 2-4/10")
    for arguments, status, code in (
        ({"Range": "bytes=10-"}, 416, "InvalidRange"),
        ({"IfMatch": '"0"'}, 412, "PreconditionFailed"),
        ({"IfNoneMatch": etag}, 304, "304"),
    ):
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket="bkt", Key="r", **arguments)
        assert code_of(refused) == (status, code)


def test_a_get_may_ask_for_headers_of_its_answer(s3):
    s3.put_object(Bucket="bkt", Key="asked", Body=b"hello", ContentType="text/plain")
    asked = s3.get_object(
        Bucket="bkt",
        Key="asked",
        ResponseContentType="text/csv",
        ResponseContentDisposition='attachment; filename="€.csv"',
    )
    assert asked["ContentType"] == "text/csv"
    disposition = asked["ContentDisposition"].encode("latin-1").decode()
    assert disposition == 'attachment; filename="€.csv"'
    with pytest.raises(ClientError, match="control characters"):
        s3.get_object(Bucket="bkt", Key="asked", ResponseContentType="a\r\nX-Evil: 1")


def test_what_is_missing_is_said_to_be_missing(s3):
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket="bkt", Key="none")
    assert code_of(error) == (404, "404")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="bkt", Key="none")
    assert code_of(error) == (404, "NoSuchKey")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="no-bucket", Key="none", Body=b"x")
    assert code_of(error) == (404, "NoSuchBucket")
    assert error.value.response["Error"]["BucketName"] == "no-bucket"
    s3.delete_object(Bucket="bkt", Key="none")


def test_many_objects_are_deleted_at_once(s3):
    for key in ("d/1", "d/2"):
        s3.put_object(Bucket="bkt", Key=key, Body=b"")
    named = {"Objects": [{"Key": "d/1"}, {"Key": "d/2"}, {"Key": "d/none"}]}
    deleted = s3.delete_objects(Bucket="bkt", Delete=named)
    assert [each["Key"] for each in deleted["Deleted"]] == ["d/1", "d/2", "d/none"]
    assert s3.list_objects_v2(Bucket="bkt", Prefix="d/")["KeyCount"] == 0


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


def test_buckets_are_made_listed_located_and_deleted(s3):
    s3.create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket="other")["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket="bkt")["LocationConstraint"] is None
    head = s3.head_bucket(Bucket="other")
    assert head["BucketRegion"] == "eu-west-1"
    assert {"bkt", "other"} <= {each["Name"] for each in s3.list_buckets()["Buckets"]}
    s3.put_object(Bucket="other", Key="k", Body=b"")
    with pytest.raises(ClientError) as refused:
        s3.delete_bucket(Bucket="other")
    assert code_of(refused) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket="other", Key="k")
    s3.delete_bucket(Bucket="other")
    with pytest.raises(ClientError) as missing:
        s3.head_bucket(Bucket="other")
    assert code_of(missing) == (404, "404")


def test_a_bucket_that_is_there_is_an_error_outside_us_east_1_only(s3):
    s3.create_bucket(Bucket="bkt")
    where = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="bucket-eu", CreateBucketConfiguration=where)
    with pytest.raises(ClientError) as taken:
        s3.create_bucket(Bucket="bucket-eu", CreateBucketConfiguration=where)
    assert code_of(taken) == (409, "BucketAlreadyOwnedByYou")


def test_a_region_must_be_named_where_it_is_not_us_east_1(s3_port):
    elsewhere = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3_port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="eu-west-1",
    )
    with pytest.raises(ClientError) as refused:
        elsewhere.create_bucket(Bucket="nowhere")
    assert code_of(refused) == (400, "IllegalLocationConstraintException")
    elsewhere.close()


def test_what_s3_has_and_this_store_has_not_is_said_to_be_so(s3):
    with pytest.raises(ClientError) as refused:
        s3.get_object_acl(Bucket="bkt", Key="k")
    assert code_of(refused) == (501, "NotImplemented")
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    assert code_of(refused) == (501, "NotImplemented")


def test_a_presigned_url_opens_its_object(s3):
    s3.put_object(Bucket="bkt", Key="shared", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "shared"})
    with urlopen(url) as answer:
        assert answer.read() == b"hello"


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
