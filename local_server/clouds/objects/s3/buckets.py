"""S3's operations on buckets."""

from __future__ import annotations

import re

from ....transport.types import Response
from ...pages import encode_token
from ..http_util import iso_time
from ..store.errors import BucketExistsError
from ..store.types import BucketInfo
from ..xml import document, element, group
from .errors import XML, S3Error
from .regions import DEFAULT_REGION, constrained_region
from .request import S3Call, from_token, number_in

MOST_BUCKETS = 10_000
BUCKET_NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_RESERVED = re.compile(
    r"\d+\.\d+\.\d+\.\d+|(?:xn--|sthree-|amzn-s3-demo-).*"
    r"|.*(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)"
)
"""Source: S3 user guide, "General purpose bucket naming rules"."""


def list_buckets(call: S3Call) -> Response:
    """ListBuckets: sorted by name, filtered by prefix and region, paged on request."""
    query = call.query
    prefix, region = query.get("prefix", ""), query.get("bucket-region", "")
    most = number_in(query, "max-buckets", MOST_BUCKETS, MOST_BUCKETS) or MOST_BUCKETS
    start = from_token(query.get("continuation-token", ""))
    buckets = [
        each
        for each in call.store.list_buckets()
        if each.name >= start and each.name.startswith(prefix) and region in {"", each.region}
    ]
    page, more = buckets[:most], buckets[most:]
    body = document(
        "ListAllMyBucketsResult",
        owner_of(call),
        group("Buckets", *(_bucket(each, with_region=bool(query)) for each in page)),
        element("Prefix", prefix) if "prefix" in query else "",
        element("ContinuationToken", encode_token(more[0].name)) if more else "",
    )
    return Response(200, body, XML)


def owner_of(call: S3Call) -> str:
    """Return the XML element of the owner, who owns everything here."""
    return group("Owner", element("ID", call.account), element("DisplayName", call.account))


def _bucket(bucket: BucketInfo, *, with_region: bool) -> str:
    return group(
        "Bucket",
        element("Name", bucket.name),
        element("CreationDate", iso_time(bucket.created)),
        element("BucketRegion", bucket.region) if with_region else "",
    )


def create_bucket(call: S3Call) -> Response:
    """CreateBucket.

    In us-east-1 an existing bucket is not an error (CreateBucket, "BucketAlreadyOwnedByYou").
    """
    if not BUCKET_NAME.fullmatch(call.bucket) or _RESERVED.fullmatch(call.bucket):
        message = "The specified bucket is not valid."
        raise S3Error("InvalidBucketName", message, BucketName=call.bucket)
    region = constrained_region(call)
    try:
        call.store.create_bucket(call.bucket, project=call.account, region=region)
    except BucketExistsError:
        if {region, call.store.get_bucket(call.bucket).region} != {DEFAULT_REGION}:
            raise
    return Response(200, b"", headers={"location": f"/{call.bucket}"})


def head_bucket(call: S3Call) -> Response:
    """HeadBucket: the region in a header."""
    bucket = call.store.get_bucket(call.bucket)
    return Response(200, b"", XML, {"x-amz-bucket-region": bucket.region or call.region})


def get_location(call: S3Call) -> Response:
    """GetBucketLocation: an empty constraint means us-east-1."""
    region = call.store.get_bucket(call.bucket).region
    body = document("LocationConstraint", "" if region == DEFAULT_REGION else region)
    return Response(200, body, XML)


def delete_bucket(call: S3Call) -> Response:
    """DeleteBucket: refused while the bucket has objects."""
    call.store.delete_bucket(call.bucket)
    return Response(204)
