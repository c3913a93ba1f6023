"""S3 as an unmodified boto3 speaks it."""

from __future__ import annotations

from functools import partial
from urllib.request import urlopen

import boto3
import pytest
from botocore.exceptions import ClientError


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_put_object_is_returned_with_its_metadata_and_checksum(s3):
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


def test_a_conditional_write_takes_one_etag_and_a_read_a_list(s3):
    etag = s3.put_object(Bucket="bkt", Key="one", Body=b"1")["ETag"]
    assert s3.get_object(Bucket="bkt", Key="one", IfMatch=f'"0", {etag}')["Body"].read() == b"1"
    for write in (partial(s3.put_object, Body=b"2"), s3.delete_object):
        for wrong in (f'"0", {etag}', f"W/{etag}"):
            with pytest.raises(ClientError) as refused:
                write(Bucket="bkt", Key="one", IfMatch=wrong)
            assert code_of(refused) == (412, "PreconditionFailed")
    s3.put_object(Bucket="bkt", Key="one", Body=b"1", IfMatch=etag.strip('"'))
    s3.delete_object(Bucket="bkt", Key="one", IfMatch=etag)


def test_listings_come_in_pages_with_prefixes(s3):
    keys = ["l/a b", "l/m/1", "l/m/2", "l/n/1", "l/z&<"]
    for key in keys:
        s3.put_object(Bucket="bkt", Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="bkt", Prefix="l/", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    observed = [
        [each["Key"] for each in page.get("Contents", [])]
        + [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        for page in pages
    ]
    assert observed == [["l/a b"], ["l/m/"], ["l/n/"], ["l/z&<"]]
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
    answer = s3.get_object(
        Bucket="bkt",
        Key="asked",
        ResponseContentType="text/csv",
        ResponseContentDisposition='attachment; filename="€.csv"',
    )
    assert answer["ContentType"] == "text/csv"
    disposition = answer["ContentDisposition"].encode("latin-1").decode()
    assert disposition == 'attachment; filename="€.csv"'
    with pytest.raises(ClientError, match="control characters"):
        s3.get_object(Bucket="bkt", Key="asked", ResponseContentType="a\r\nX-Evil: 1")


def test_missing_buckets_and_objects_are_reported(s3):
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


def test_an_existing_bucket_is_an_error_only_outside_us_east_1(s3):
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


def test_features_of_s3_that_are_missing_here_are_refused_by_name(s3):
    with pytest.raises(ClientError) as refused:
        s3.get_object_torrent(Bucket="bkt", Key="k")
    assert code_of(refused) == (501, "NotImplemented")
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_request_payment(
            Bucket="bkt", RequestPaymentConfiguration={"Payer": "Requester"}
        )
    assert code_of(refused) == (501, "NotImplemented")


def test_a_presigned_url_opens_its_object(s3):
    s3.put_object(Bucket="bkt", Key="shared", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "shared"})
    with urlopen(url) as answer:
        assert answer.read() == b"hello"
