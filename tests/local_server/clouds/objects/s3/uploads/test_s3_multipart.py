"""S3's multipart uploads as an unmodified boto3 makes them."""

from __future__ import annotations

import base64
import os
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

MIB = 1 << 20


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


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


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_uploads_under_way_are_listed_in_pages(s3, size):
    s3.create_bucket(Bucket="under-way")
    begun = set()
    for key in ("k/a", "k/b", "k/b", "k/b", "k/c", "other"):
        upload = s3.create_multipart_upload(Bucket="under-way", Key=key)
        begun.add((key, upload["UploadId"]))
    pages = list(
        s3.get_paginator("list_multipart_uploads").paginate(
            Bucket="under-way", Prefix="k/", PaginationConfig={"PageSize": size}
        )
    )
    listed = [(each["Key"], each["UploadId"]) for page in pages for each in page["Uploads"]]
    assert sorted(listed) == sorted(each for each in begun if each[0] != "other")
    assert [key for key, _ in listed] == ["k/a", "k/b", "k/b", "k/b", "k/c"]
    assert len(pages) == -(-5 // size)
    by_key = s3.list_multipart_uploads(Bucket="under-way", KeyMarker="k/b")["Uploads"]
    assert [each["Key"] for each in by_key] == ["k/c", "other"]
    s3.delete_bucket(Bucket="under-way")


@pytest.fixture
def upload(s3):
    """Give the name of an upload of two parts, and those as a completion names them."""
    begun = s3.create_multipart_upload(
        Bucket="bkt", Key="whole", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )
    name = {"Bucket": "bkt", "Key": "whole", "UploadId": begun["UploadId"]}
    etags = [
        s3.upload_part(**name, PartNumber=number, Body=body)["ETag"]
        for number, body in ((1, b"a" * 5 * MIB), (2, b"b"))
    ]
    return name, {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}


def test_a_completions_checksum_and_size_of_the_object_are_verified(s3, upload):
    name, parts = upload
    content = b"a" * 5 * MIB + b"b"
    crc32 = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    for wrong, code in (
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"MpuObjectSize": len(content) - 1}, "InvalidRequest"),
    ):
        with pytest.raises(ClientError) as refused:
            s3.complete_multipart_upload(**name, MultipartUpload=parts, **wrong)
        assert code_of(refused) == (400, code)
    done = s3.complete_multipart_upload(
        **name, MultipartUpload=parts, ChecksumCRC32=crc32, MpuObjectSize=len(content)
    )
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (crc32, "FULL_OBJECT")
    assert s3.get_object(Bucket="bkt", Key="whole")["Body"].read() == content


@pytest.mark.parametrize("versioning", ["Enabled", ""])
def test_a_conditional_completion_fails_after_a_deletion_during_the_upload(s3, versioning):
    if versioning:
        s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": versioning})
    etag = s3.put_object(Bucket="bkt", Key=f"gone{versioning}", Body=b"first")["ETag"]
    upload = s3.create_multipart_upload(Bucket="bkt", Key=f"gone{versioning}")
    name = {"Bucket": "bkt", "Key": f"gone{versioning}", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**name, PartNumber=1, Body=b"second")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.delete_object(Bucket="bkt", Key=name["Key"])
    for condition, answer in (
        ({"IfNoneMatch": "*"}, (409, "ConditionalRequestConflict")),
        ({"IfMatch": etag}, (404, "NoSuchKey")),
    ):
        with pytest.raises(ClientError) as refused:
            s3.complete_multipart_upload(**name, MultipartUpload=parts, **condition)
        assert code_of(refused) == answer
    assert s3.list_parts(**name)["Parts"][0]["Size"] == len(b"second")
    s3.complete_multipart_upload(**name, MultipartUpload=parts)
    assert s3.get_object(Bucket="bkt", Key=name["Key"])["Body"].read() == b"second"


def test_a_deletion_before_the_upload_is_no_conflict(s3):
    s3.put_object(Bucket="bkt", Key="again", Body=b"first")
    s3.delete_object(Bucket="bkt", Key="again")
    upload = s3.create_multipart_upload(Bucket="bkt", Key="again")
    name = {"Bucket": "bkt", "Key": "again", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**name, PartNumber=1, Body=b"second")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**name, MultipartUpload=parts, IfNoneMatch="*")
