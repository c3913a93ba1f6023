"""The account and region of a request, and the ARNs of resources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from ....transport.types import Head

ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
# SigV4's credential scope names region and service (AWS Signature Version 4, "credential scope").
_SCOPE = re.compile(r"Credential=[^/\s]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")

_KEY = re.compile(r"(?:Credential|AWSAccessKeyId)=([^/&\s,]+)")


@dataclass(frozen=True, slots=True)
class Scope:
    """The region and service that a request is signed for."""

    region: str
    service: str


def scope(head: Head) -> Scope | None:
    """Return the scope of a signed request, or None for an unsigned one."""
    return _scope_in(head.headers.get("authorization", ""))


def presigned_scope(head: Head) -> Scope | None:
    """Return the scope of a presigned request, which has it in the query; else None."""
    return _scope_in(unquote(head.query)) if "X-Amz-Credential=" in head.query else None


def _scope_in(text: str) -> Scope | None:
    match = _SCOPE.search(text)
    return Scope(match[1], match[2]) if match else None


def access_key(head: Head) -> str:
    """Return the access key that a request is signed with, in a header or (presigned) in its query.

    "" for an unsigned request.
    """
    for text in (head.headers.get("authorization", ""), unquote(head.query)):
        match = _KEY.search(text)
        if match:
            return match[1]
    return ""


def region(head: Head) -> str:
    """Return a request's region; DEFAULT_REGION if it is not signed."""
    signed = scope(head)
    return signed.region if signed else DEFAULT_REGION


def arn(region: str, kind: str, name: str) -> str:
    """Return a SageMaker resource's ARN; `kind` is `model`, `endpoint-config` or `endpoint`."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{kind}/{name}"
