"""Every member of every S3 operation: kept and returned, heeded, or refused by its name."""

from __future__ import annotations

import io
from collections.abc import Iterator

import botocore.loaders
import botocore.model
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.objects.s3.app import ROUTES

ACCOUNT, OTHER = "000000000000", "111122223333"
OPERATIONS = sorted({operation.name for operation in ROUTES.values()})
SETTINGS = [
    name
    for name in OPERATIONS
    if name.startswith(("GetBucket", "GetPublic")) or name.endswith(("Configuration", "Versions"))
]
ALGORITHMS = ("XXHASH3", "XXHASH64", "XXHASH128")
CUSTOMER_KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}

# What is read in an operation's own tests: which object, its bytes, conditions, pages.
HEEDED = {
    "Bucket", "Key", "Body", "UploadId", "PartNumber", "Delete", "MultipartUpload", "Tagging",
    "CreateBucketConfiguration", "CopySource", "CopySourceRange", "Range", "Prefix", "Delimiter",
    "Marker", "MaxKeys", "StartAfter", "ContinuationToken", "EncodingType", "FetchOwner",
    "KeyMarker", "MaxUploads", "UploadIdMarker", "MaxParts", "PartNumberMarker", "MaxBuckets",
    "BucketRegion", "IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince",
    "CopySourceIfMatch", "CopySourceIfNoneMatch", "CopySourceIfModifiedSince",
    "CopySourceIfUnmodifiedSince", "ContentLength", "ContentMD5", "ChecksumAlgorithm",
    "ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256",
    "ChecksumMD5", "ChecksumSHA512", "ChecksumMode", "ChecksumType",
    "MpuObjectSize", "MetadataDirective", "TaggingDirective",
    "ResponseCacheControl", "ResponseContentDisposition", "ResponseContentEncoding",
    "ResponseContentLanguage", "ResponseContentType", "ResponseExpires", "ExpectedBucketOwner",
    "ExpectedSourceBucketOwner", "ObjectAttributes", "RequestPayer", "VersionId",
    "VersionIdMarker", "VersioningConfiguration", "OptionalObjectAttributes", "ObjectOwnership",
}  # fmt: skip
KEPT = {
    "CacheControl": "no-store",
    "ContentDisposition": "inline",
    "ContentEncoding": "br",
    "ContentLanguage": "de",
    "ContentType": "text/plain",
    "Metadata": {"k": "v"},
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "arn:aws:kms:us-east-1:000000000000:key/k",
    "BucketKeyEnabled": True,
    "StorageClass": "STANDARD_IA",
}
"""Members of new objects that a HeadObject gives back by the same name."""
READ_ELSEWHERE = {"Expires", "Tagging"}
NOT_IMPLEMENTED = {
    "BypassGovernanceRetention": True,
    "IfMatchInitiatedTime": "2026-01-01",
    "IfMatchLastModifiedTime": "2026-01-01",
    "IfMatchSize": 1,
    "MFA": "device 123456",
    "ObjectLockEnabledForBucket": True,
    "ObjectLockEventHold": "ON",
    "ObjectLockEventHoldDurationDays": 1,
    "ObjectLockEventHoldDurationYears": 1,
    "ObjectLockLegalHoldStatus": "ON",
    "ObjectLockMode": "GOVERNANCE",
    "ObjectLockRetainUntilDate": "2030-01-01",
    "AnnotationDirective": "COPY",
    "BucketNamespace": "account-regional",
    "SSEKMSEncryptionContext": "e30=",
    "WebsiteRedirectLocation": "/elsewhere",
    "WriteOffsetBytes": 5,
    **{f"Checksum{name}": "AAAA" for name in ALGORITHMS},
    **CUSTOMER_KEY,
    "SSECustomerKeyMD5": "AAAA",
    "CopySourceSSECustomerAlgorithm": "AES256",
    "CopySourceSSECustomerKey": "k" * 32,
    "CopySourceSSECustomerKeyMD5": "AAAA",
}
NOT_LISTED_SO = {"Delimiter": "/"}
"""What other listings heed, and ListMultipartUploads does not implement."""
GRANTS = {
    f"Grant{name}": "id=x" for name in ("FullControl", "Read", "ReadACP", "Write", "WriteACP")
}


LOADER = botocore.loaders.Loader()
MODEL = botocore.model.ServiceModel(LOADER.load_service_model("s3", "service-2"))


def members(operation: str) -> list[str]:
    return list(MODEL.operation_model(operation).input_shape.members)


@pytest.fixture(scope="module")
def client(s3, served) -> Iterator:
    """Give the client, with an object `k` and an upload `u` in the bucket `bkt`."""
    s3.put_object(Bucket="bkt", Key="k", Body=b"hello")
    return s3


@pytest.fixture
def valid(client):
    """Give what each operation has to be given, apart from what a test is about."""
    upload = client.create_multipart_upload(Bucket="bkt", Key="u")["UploadId"]
    bucket, key = {"Bucket": "bkt"}, {"Bucket": "bkt", "Key": "k"}
    part = {"Bucket": "bkt", "Key": "u", "UploadId": upload}
    return {
        "ListBuckets": {},
        "CreateBucket": {"Bucket": "another"},
        "DeleteObjects": bucket | {"Delete": {"Objects": [{"Key": "k"}]}},
        "CopyObject": {"Bucket": "bkt", "Key": "copied", "CopySource": "bkt/k"},
        "UploadPart": part | {"PartNumber": 1, "Body": b"x"},
        "UploadPartCopy": part | {"PartNumber": 1, "CopySource": "bkt/k"},
        "CompleteMultipartUpload": part | {"MultipartUpload": {"Parts": []}},
        "AbortMultipartUpload": part,
        "ListParts": part,
        "PutBucketVersioning": bucket | {"VersioningConfiguration": {"Status": "Suspended"}},
        "GetObjectAttributes": key | {"ObjectAttributes": ["ETag"]},
        **dict.fromkeys(("GetObjectAcl", "GetObjectRetention", "GetObjectLegalHold"), key),
        "PutObjectTagging": key | {"Tagging": {"TagSet": []}},
        **dict.fromkeys(("GetObject", "HeadObject", "DeleteObject", "DeleteObjectTagging"), key),
        "GetObjectTagging": key,
        "PutObject": {"Bucket": "bkt", "Key": "new", "Body": b"hello"},
        "CreateMultipartUpload": {"Bucket": "bkt", "Key": "new"},
        **dict.fromkeys(("HeadBucket", "DeleteBucket", "GetBucketLocation"), bucket),
        **dict.fromkeys(("ListObjects", "ListObjectsV2", "ListMultipartUploads"), bucket),
        **dict.fromkeys(SETTINGS, bucket),
    }


def call(client, operation: str, **arguments):
    method = xform_name(operation)
    return getattr(client, method)(**arguments)


def refusal(client, operation: str, **arguments) -> tuple[int, str]:
    with pytest.raises(ClientError) as error:
        call(client, operation, **arguments)
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_member_of_botocores_model_is_known(operation):
    known = HEEDED | KEPT.keys() | READ_ELSEWHERE | NOT_IMPLEMENTED.keys() | GRANTS.keys() | {"ACL"}
    assert set(members(operation)) <= known


REFUSED = [
    (operation, name)
    for operation in OPERATIONS
    for name in members(operation)
    if name in NOT_IMPLEMENTED or (operation, name) == ("ListMultipartUploads", "Delimiter")
]


@pytest.mark.parametrize(("operation", "name"), REFUSED)
def test_unsupported_fields_are_not_implemented(client, valid, operation, name):
    value = (NOT_IMPLEMENTED | NOT_LISTED_SO)[name]
    status, code = refusal(client, operation, **valid[operation], **{name: value})
    assert (status, code) in {(501, "NotImplemented"), (501, "501")}  # a HEAD has no body


@pytest.mark.parametrize("operation", OPERATIONS)
def test_acls_are_refused_as_new_buckets_refuse_them(client, valid, operation):
    names = [name for name in members(operation) if name in GRANTS or name == "ACL"]
    of_bucket = (400, "InvalidBucketAclWithObjectOwnership")
    expected = of_bucket if operation == "CreateBucket" else (400, "AccessControlListNotSupported")
    for name in names:
        value = {"ACL": "public-read"} | GRANTS
        assert refusal(client, operation, **valid[operation], **{name: value[name]}) == expected


@pytest.mark.parametrize("acl", ["private", "bucket-owner-full-control"])
def test_acls_that_grant_nothing_to_others_are_taken_for_a_bucket(client, acl):
    client.create_bucket(Bucket=f"with-{acl}", ACL=acl)
    client.put_object(Bucket=f"with-{acl}", Key="k", ACL="bucket-owner-full-control")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_bucket_of_another_account_is_denied(client, valid, operation):
    for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
        if name in members(operation):
            wrong = {name: OTHER}
            status, code = refusal(client, operation, **valid[operation], **wrong)
            assert (status, code) in {(403, "AccessDenied"), (403, "403")}


def test_a_bucket_of_the_own_account_is_not(client):
    client.head_object(Bucket="bkt", Key="k", ExpectedBucketOwner=ACCOUNT)
    wrong = {"Bucket": "bkt", "Key": "k", "ExpectedBucketOwner": "nobody"}
    assert refusal(client, "GetObject", **wrong) == (400, "InvalidBucketOwnerAWSAccountID")
    missing = {"Bucket": "no-such-bucket", "Key": "k", "ExpectedBucketOwner": OTHER}
    assert refusal(client, "GetObject", **missing) == (404, "NoSuchBucket")


def put(client, key: str, **kept) -> None:
    client.put_object(Bucket="bkt", Key=key, Body=b"hello", **kept)


def copy(client, key: str, **kept) -> None:
    directives = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}
    client.copy_object(Bucket="bkt", Key=key, CopySource="bkt/k", **directives, **kept)


def in_parts(client, key: str, **kept) -> None:
    name = {"Bucket": "bkt", "Key": key}
    upload = client.create_multipart_upload(**name, **kept)["UploadId"]
    part = client.upload_part(**name, UploadId=upload, PartNumber=1, Body=b"hello")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    client.complete_multipart_upload(**name, UploadId=upload, MultipartUpload=parts)


@pytest.mark.parametrize("make", [put, copy, in_parts])
@pytest.mark.parametrize("name", [*KEPT, "Tagging"])
def test_properties_of_a_new_object_are_returned(client, make, name):
    if name == "Tagging":
        make(client, "kept", Tagging="a=1&b=%C3%A9")
        tags = client.get_object_tagging(Bucket="bkt", Key="kept")["TagSet"]
        assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "é"}]
        assert client.head_object(Bucket="bkt", Key="kept")["TagCount"] == 2
        return
    make(client, "kept", **{name: KEPT[name]})
    assert client.head_object(Bucket="bkt", Key="kept")[name] == KEPT[name]
    assert client.get_object(Bucket="bkt", Key="kept")[name] == KEPT[name]


def test_listings_report_the_storage_class(client):
    put(client, "classes/ia", StorageClass="ONEZONE_IA")
    (listed,) = client.list_objects_v2(Bucket="bkt", Prefix="classes/")["Contents"]
    assert listed["StorageClass"] == "ONEZONE_IA"
    client.copy_object(
        Bucket="bkt", Key="classes/ia", CopySource="bkt/classes/ia", MetadataDirective="REPLACE"
    )
    assert "StorageClass" not in client.head_object(Bucket="bkt", Key="classes/ia")
    assert refusal(client, "PutObject", Bucket="bkt", Key="x", StorageClass="GLACIER")[0] == 501
    wrong = {"Bucket": "bkt", "Key": "x", "StorageClass": "NONSENSE"}
    assert refusal(client, "PutObject", **wrong) == (400, "InvalidStorageClass")


class TestTags:
    def test_they_are_set_and_deleted_without_changing_the_objects_date(self, client):
        put(client, "tagged")
        before = client.head_object(Bucket="bkt", Key="tagged")
        tags = [{"Key": "stage", "Value": "prod"}]
        name = {"Bucket": "bkt", "Key": "tagged"}
        client.put_object_tagging(**name, Tagging={"TagSet": tags})
        assert client.get_object_tagging(**name)["TagSet"] == tags
        after = client.head_object(**name)
        assert (after["LastModified"], after["TagCount"]) == (before["LastModified"], 1)
        client.delete_object_tagging(**name)
        assert client.get_object_tagging(**name)["TagSet"] == []

    def test_a_copy_has_its_sources_tags_unless_it_is_given_others(self, client):
        put(client, "tagged", Tagging="a=1")
        source = {"Bucket": "bkt", "Key": "copied", "CopySource": "bkt/tagged"}
        client.copy_object(**source)
        copied = {"Bucket": "bkt", "Key": "copied"}
        assert client.get_object_tagging(**copied)["TagSet"] == [{"Key": "a", "Value": "1"}]
        client.copy_object(**source, TaggingDirective="REPLACE")
        assert client.get_object_tagging(**copied)["TagSet"] == []
        assert refusal(client, "CopyObject", **source, Tagging="b=2")[0] == 501

    @pytest.mark.parametrize(
        ("tagging", "code"),
        [
            ("a=1&a=2", "InvalidArgument"),
            ("&".join(f"k{number}=v" for number in range(11)), "BadRequest"),
            ("=v", "InvalidTag"),
            ("k" * 129, "InvalidTag"),
            ("k=" + "v" * 257, "InvalidTag"),
            ("k=%FF", "InvalidArgument"),
            ("aws:owner=me", "InvalidTag"),
            ("AWS:owner=me", "InvalidTag"),
        ],
    )
    def test_wrong_ones_are_refused(self, client, tagging, code):
        wrong = {"Bucket": "bkt", "Key": "wrong", "Body": b"x", "Tagging": tagging}
        assert refusal(client, "PutObject", **wrong) == (400, code)

    def test_those_of_aws_are_refused_in_its_words(self, client):
        """The text is that of cloud-custodian/cloud-custodian#370."""
        client.put_object(Bucket="bkt", Key="tagged", Body=b"x")
        tags = {"TagSet": [{"Key": "aws:owner", "Value": "me"}]}
        with pytest.raises(ClientError, match="Your TagKey cannot be prefixed with aws:"):
            client.put_object_tagging(Bucket="bkt", Key="tagged", Tagging=tags)
        assert client.get_object_tagging(Bucket="bkt", Key="tagged")["TagSet"] == []


class TestBuckets:
    def test_they_are_listed_by_prefix_and_region_in_pages(self, client):
        for number in range(3):
            client.create_bucket(Bucket=f"paged-{number}")
        page = client.list_buckets(Prefix="paged-", MaxBuckets=2)
        assert [each["Name"] for each in page["Buckets"]] == ["paged-0", "paged-1"]
        assert page["Prefix"] == "paged-"
        rest = client.list_buckets(Prefix="paged-", ContinuationToken=page["ContinuationToken"])
        assert [each["Name"] for each in rest["Buckets"]] == ["paged-2"]
        assert "ContinuationToken" not in rest
        assert rest["Buckets"][0]["BucketRegion"] == "us-east-1"
        assert client.list_buckets(BucketRegion="eu-west-1")["Buckets"] == []

    def test_defaults_may_be_repeated(self, client):
        client.create_bucket(
            Bucket="plain",
            ACL="private",
            ObjectOwnership="BucketOwnerEnforced",
            ObjectLockEnabledForBucket=False,
        )
        wrong = {"Bucket": "wrong", "ObjectOwnership": "ObjectWriter"}
        assert refusal(client, "CreateBucket", **wrong) == (501, "NotImplemented")
        tagged = {"Tags": [{"Key": "k", "Value": "v"}]}
        wrong = {"Bucket": "wrong", "CreateBucketConfiguration": tagged}
        assert refusal(client, "CreateBucket", **wrong) == (501, "NotImplemented")


def test_a_listing_reports_the_owner_when_asked(client):
    page = {"Bucket": "bkt", "MaxKeys": 1}
    (listed,) = client.list_objects_v2(**page, FetchOwner=True)["Contents"]
    assert listed["Owner"]["ID"] == ACCOUNT
    assert client.list_objects(**page)["Contents"][0]["Owner"]["ID"] == ACCOUNT


def test_a_deletion_on_a_condition_that_is_not_implemented_deletes_nothing(client):
    put(client, "stays")
    entries = {"Objects": [{"Key": "stays", "Size": 1}]}
    (error,) = client.delete_objects(Bucket="bkt", Delete=entries)["Errors"]
    assert (error["Key"], error["Code"]) == ("stays", "NotImplemented")
    client.head_object(Bucket="bkt", Key="stays")


def test_a_completion_with_a_checksum_of_another_kind_is_refused(client, valid):
    arguments = valid["CompleteMultipartUpload"]
    part = {name: arguments[name] for name in ("Bucket", "Key", "UploadId")}
    etag = client.upload_part(**part, PartNumber=1, Body=b"x")["ETag"]
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    wrong = part | parts | {"ChecksumSHA256": "A" * 43 + "="}
    assert refusal(client, "CompleteMultipartUpload", **wrong) == (400, "InvalidRequest")
    client.complete_multipart_upload(**part, **parts)


def test_a_stream_is_stored_with_its_tags(client):
    client.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), "bkt", "big", {"Tagging": "a=1"})
    assert client.get_object_tagging(Bucket="bkt", Key="big")["TagSet"] == [
        {"Key": "a", "Value": "1"}
    ]
