"""Signatures of forms that upload to S3, versions 2 and 4.

Source: Amazon S3 API Reference, "Calculating a signature" of browser-based uploads.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from ...objects.s3.errors import S3Error

_PARTS = 5
_NO_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key"
    " and signing method."
)
_UNKNOWN = "The AWS Access Key Id you provided does not exist in our records."


def check_form(keys: Mapping[str, str], fields: Mapping[str, str]) -> None:
    """Raise S3Error unless a known key signed a form's policy."""
    policy = fields["policy"].encode()
    if "awsaccesskeyid" in fields:
        secret = _secret(keys, fields["awsaccesskeyid"])
        digest = hmac.new(secret.encode(), policy, hashlib.sha1).digest()
        _compare(base64.b64encode(digest).decode(), fields.get("signature", ""))
        return
    scope = fields.get("x-amz-credential", "").split("/")
    if len(scope) != _PARTS or scope[3:] != ["s3", "aws4_request"]:
        message = "The field x-amz-credential is not KEY/DATE/REGION/s3/aws4_request."
        raise S3Error("InvalidArgument", message)
    key = f"AWS4{_secret(keys, scope[0])}".encode()
    for part in scope[1:]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signed = hmac.new(key, policy, hashlib.sha256)
    _compare(signed.hexdigest(), fields.get("x-amz-signature", ""))


def _secret(keys: Mapping[str, str], key: str) -> str:
    secret = keys.get(key)
    if secret is None:
        raise S3Error("InvalidAccessKeyId", _UNKNOWN, AWSAccessKeyId=key)
    return secret


def _compare(expected: str, given: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise S3Error("SignatureDoesNotMatch", _NO_MATCH)
