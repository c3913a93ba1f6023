"""Regions of S3: the region of a new bucket, and requests that are sent or signed for another one.

Sources: Amazon S3 API Reference, CreateBucket and "Error responses" (PermanentRedirect,
AuthorizationHeaderMalformed, AuthorizationQueryParametersError); User Guide, "Making requests":
the global host takes a virtual-hosted request to the bucket's region, whichever it is signed for.
AWS's SDKs follow the redirect on request; botocore always does.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from ....transport.types import Head
from ..addressing import S3Host, s3_host
from ..store.errors import NoSuchBucketError
from ..xml import MalformedError, parse
from .errors import OLD_SIGNATURE, S3Error, malformed, not_implemented
from .request import S3Call

DEFAULT_REGION = "us-east-1"
_EU = "EU"
"""The older name of `eu-west-1` as a constraint."""
_SCOPE = re.compile(r"/(?P<region>[a-z0-9-]+)/s3/aws4_request")
_VERSION_2 = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/,]*")
"""The header of a form whose signature has version 2 (`callers.posted`)."""
_OF_VERSION_2 = frozenset({
    "", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "eu-west-1", "sa-east-1", "us-east-1",
    "us-gov-west-1", "us-west-1", "us-west-2",
})  # fmt: skip
"""Regions from before January 30, 2014, which take presigned URLs and forms of signature version 2
(API Reference, "Authenticating Requests"; botocore's `endpoints.json`, `signatureVersions`).
"""
_ANYWHERE = frozenset({"CreateBucket", "GetBucketLocation", "ListBuckets"})


def signed_region(head: Head) -> str | None:
    """Return the region in a request's credential scope, None if it has no such signature."""
    match = _SCOPE.search(head.headers.get("authorization", ""))
    if match is None and "X-Amz-Credential=" in head.query:
        match = _SCOPE.search(unquote(head.query))
    return match["region"] if match else None


def check_region(call: S3Call, operation: str) -> None:
    """Raise S3Error if a bucket's region does not take a request.

    It is signed for another one, or by version 2 (aws/aws-sdk-php#946). No bucket has Transfer
    Acceleration here; the text is S3's (aws/aws-cli#8329).
    """
    host = s3_host(call.head.headers.get("host", ""))
    if host is not None and host.is_accelerated:
        message = "S3 Transfer Acceleration is not configured on this bucket"
        raise S3Error("InvalidRequest", message)
    if not call.bucket or operation in _ANYWHERE:
        return
    try:
        region = _public(call.store.get_bucket(call.bucket).region)
    except NoSuchBucketError:
        return
    signed = signed_region(call.head)
    if signed is None and _has_version_2(call.head) and region not in _OF_VERSION_2:
        raise S3Error("InvalidRequest", OLD_SIGNATURE)
    if signed is not None and region and signed != region:
        raise _elsewhere(call, host, signed, region)


def _has_version_2(head: Head) -> bool:
    if "AWSAccessKeyId=" in head.query:
        return True
    return _VERSION_2.fullmatch(head.headers.get("authorization", "")) is not None


def _public(constraint: str) -> str:
    return "eu-west-1" if constraint == _EU else constraint


def _elsewhere(call: S3Call, host: S3Host | None, signed: str, region: str) -> S3Error:
    if host is None or host.region or not host.bucket:
        message = (
            "The bucket you are attempting to access must be addressed using the specified"
            " endpoint. Please send all future requests to this endpoint."
        )
        endpoint = f"{call.bucket}.s3.{region}.amazonaws.com"
        error = S3Error("PermanentRedirect", message, Endpoint=endpoint, Bucket=call.bucket)
    elif "authorization" in call.head.headers:
        message = (
            f"The authorization header is malformed; the region '{signed}' is wrong; expecting"
            f" '{region}'"
        )
        error = S3Error("AuthorizationHeaderMalformed", message, Region=region)
    else:
        message = (
            "Error parsing the X-Amz-Credential parameter; the region"
            f" '{signed}' is wrong; expecting '{region}'"
        )
        error = S3Error("AuthorizationQueryParametersError", message, Region=region)
    error.headers = {"x-amz-bucket-region": region}
    return error


def constrained_region(call: S3Call) -> str:
    """Return the region of a new bucket: the constraint in the body must match the signature.

    An empty constraint is not a missing one (versity/versitygw#1644, checked against S3).
    A bucket that was created by the older name of its region has the newer one, also where the
    service shows the older: GetBucketLocation.
    """
    constraint = _location_constraint(call.content)
    signed = signed_region(call.head) or call.region
    region = _public(constraint or "")
    if constraint in {DEFAULT_REGION, ""} or (region and not call.knows_region(region)):
        raise S3Error(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            LocationConstraint=constraint or "",
        )
    if signed not in {DEFAULT_REGION, region}:
        message = (
            f"The {constraint or 'unspecified'} location constraint is incompatible for the region "
            "specific endpoint this request was sent to."
        )
        raise S3Error("IllegalLocationConstraintException", message)
    return region or DEFAULT_REGION


def _location_constraint(content: bytes) -> str | None:
    """Return the constraint in a body, None if there is none; raises S3Error."""
    if not content:
        return None
    try:
        root = parse(content, "CreateBucketConfiguration")
    except MalformedError as error:
        raise malformed(error) from error
    for child in root:
        if child.tag != "LocationConstraint":
            raise not_implemented(child.tag)
    return root.findtext("LocationConstraint")
