"""Versions and delete markers, as boto3 and its paginators see them."""

from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError

NAMES = (f"versions-{number}" for number in itertools.count())


def error_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def switch(s3, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def put(s3, bucket: str, key: str, body: bytes) -> str | None:
    return s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def read(s3, bucket: str, key: str, **version) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read()


@pytest.fixture
def bucket(s3):
    name = next(NAMES)
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3, bucket):
    switch(s3, bucket, "Enabled")
    return bucket


def entries(s3, bucket: str, **options):
    """Return (key, ID, is latest, is a marker) of all versions, by key and from new to old."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **options)
    found = [
        (each["Key"], each["VersionId"], each["IsLatest"], kind == "DeleteMarkers")
        for page in pages
        for kind in ("Versions", "DeleteMarkers")
        for each in page.get(kind, [])
    ]
    return sorted(found, key=lambda entry: (entry[0], not entry[2]))


def test_the_state_of_versioning_is_kept(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        switch(s3, bucket, status)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


def test_without_versioning_there_are_no_ids(s3, bucket):
    assert put(s3, bucket, "k", b"1") is None
    assert "VersionId" not in s3.head_object(Bucket=bucket, Key="k")
    assert entries(s3, bucket) == [("k", "null", True, False)]
    assert read(s3, bucket, "k", VersionId="null") == b"1"


def test_each_version_stays_readable(s3, versioned):
    first, second = put(s3, versioned, "k", b"1"), put(s3, versioned, "k", b"22")
    assert read(s3, versioned, "k") == b"22"
    assert read(s3, versioned, "k", VersionId=first) == b"1"
    assert s3.head_object(Bucket=versioned, Key="k", VersionId=first)["ContentLength"] == 1
    assert entries(s3, versioned) == [("k", second, True, False), ("k", first, False, False)]


def test_a_deletion_puts_a_marker_and_deleting_the_marker_restores_the_object(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert deleted["DeleteMarker"]
    with pytest.raises(ClientError) as gone:
        read(s3, versioned, "k")
    assert error_of(gone) == (404, "NoSuchKey")
    headers = gone.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true"
    with pytest.raises(ClientError) as marker:
        read(s3, versioned, "k", VersionId=deleted["VersionId"])
    assert error_of(marker) == (405, "MethodNotAllowed")
    assert entries(s3, versioned)[0] == ("k", deleted["VersionId"], True, True)
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    undone = s3.delete_object(Bucket=versioned, Key="k", VersionId=deleted["VersionId"])
    assert undone["DeleteMarker"]
    assert read(s3, versioned, "k") == b"1"
    assert s3.head_object(Bucket=versioned, Key="k")["VersionId"] == first


def test_a_deleted_version_is_gone_and_the_one_before_it_is_current(s3, versioned):
    first, second = put(s3, versioned, "k", b"1"), put(s3, versioned, "k", b"2")
    answer = s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert (answer["VersionId"], "DeleteMarker" in answer) == (second, False)
    assert read(s3, versioned, "k") == b"1"
    with pytest.raises(ClientError) as missing:
        read(s3, versioned, "k", VersionId=second)
    assert error_of(missing) == (404, "NoSuchVersion")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)  # a missing one is no error
    assert entries(s3, versioned) == [("k", first, True, False)]


def test_while_suspended_only_the_null_version_is_replaced(s3, versioned):
    kept = put(s3, versioned, "k", b"kept")
    switch(s3, versioned, "Suspended")
    assert put(s3, versioned, "k", b"1") == "null"
    put(s3, versioned, "k", b"2")
    assert entries(s3, versioned) == [("k", "null", True, False), ("k", kept, False, False)]
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert entries(s3, versioned) == [("k", "null", True, True), ("k", kept, False, False)]
    put(s3, versioned, "k", b"3")
    assert entries(s3, versioned) == [("k", "null", True, False), ("k", kept, False, False)]


def test_an_object_from_before_versioning_is_the_null_version(s3, bucket):
    put(s3, bucket, "k", b"old")
    switch(s3, bucket, "Enabled")
    new = put(s3, bucket, "k", b"new")
    assert entries(s3, bucket) == [("k", new, True, False), ("k", "null", False, False)]
    assert read(s3, bucket, "k", VersionId="null") == b"old"


@pytest.mark.parametrize("size", [1, 3])
def test_listings_come_in_pages(s3, versioned, size):
    for key in ("a", "b/1", "b/2", "c"):
        put(s3, versioned, key, b"1")
        put(s3, versioned, key, b"2")
    s3.delete_object(Bucket=versioned, Key="c")
    whole = entries(s3, versioned)
    assert len(whole) == len(set(whole)) == 9
    assert entries(s3, versioned, PaginationConfig={"PageSize": size}) == whole
    folded = s3.get_paginator("list_object_versions").paginate(
        Bucket=versioned, Delimiter="/", PaginationConfig={"PageSize": size}
    )
    pages = list(folded)
    prefixes = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
    assert prefixes == ["b/"]
    assert sum(len(page.get("Versions", [])) for page in pages) == 4


def test_a_bucket_with_versions_is_not_empty(s3, versioned):
    put(s3, versioned, "k", b"1")
    s3.delete_object(Bucket=versioned, Key="k")
    with pytest.raises(ClientError) as refused:
        s3.delete_bucket(Bucket=versioned)
    assert error_of(refused) == (409, "BucketNotEmpty")
    objects = [{"Key": key, "VersionId": each} for key, each, _, _ in entries(s3, versioned)]
    done = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
    assert len(done["Deleted"]) == 2
    assert "DeleteMarkerVersionId" in done["Deleted"][0]
    s3.delete_bucket(Bucket=versioned)


def test_deletions_of_many_report_their_markers(s3, versioned):
    put(s3, versioned, "k", b"1")
    (done,) = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k"}]})["Deleted"]
    assert done["DeleteMarker"]
    assert entries(s3, versioned)[0] == ("k", done["DeleteMarkerVersionId"], True, True)


def test_a_version_is_copied_and_tagged(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    put(s3, versioned, "k", b"2")
    source = {"Bucket": versioned, "Key": "k", "VersionId": first}
    copied = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert copied["CopySourceVersionId"] == first
    assert read(s3, versioned, "k", VersionId=copied["VersionId"]) == b"1"
    name = {"Bucket": versioned, "Key": "k", "VersionId": first}
    s3.put_object_tagging(**name, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert s3.get_object_tagging(**name)["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []


def test_multipart_uploads_have_versions(s3, versioned):
    name = {"Bucket": versioned, "Key": "k"}
    upload = s3.create_multipart_upload(**name)["UploadId"]
    part = s3.upload_part(**name, UploadId=upload, PartNumber=1, Body=b"1")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload=parts)
    assert entries(s3, versioned) == [("k", done["VersionId"], True, False)]


@pytest.mark.parametrize("version", ["nonsense", "x" * 32, "é", "Null"])
def test_a_wrong_id_is_refused(s3, versioned, version):
    put(s3, versioned, "k", b"1")
    for call in (s3.get_object, s3.delete_object, s3.get_object_tagging):
        with pytest.raises(ClientError) as wrong:
            call(Bucket=versioned, Key="k", VersionId=version)
        assert error_of(wrong) == (400, "InvalidArgument")
    assert read(s3, versioned, "k") == b"1"


def test_multi_factor_deletion_is_refused_by_name(s3, bucket):
    settings = {"Status": "Enabled", "MFADelete": "Enabled"}
    with pytest.raises(ClientError, match="MfaDelete") as refused:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=settings)
    assert error_of(refused) == (501, "NotImplemented")


def test_versions_outlive_the_process(s3, versioned, served):
    first = put(s3, versioned, "k", b"kept")
    put(s3, versioned, "k", b"newer")
    from cloudserve.local_server.clouds.objects.store.store import ObjectStore

    with ObjectStore(served.root) as other:
        versions = other.versions.all(versioned, "k")
        assert [other.path(each).read_bytes() for each in versions] == [b"newer", b"kept"]
    assert read(s3, versioned, "k", VersionId=first) == b"kept"
