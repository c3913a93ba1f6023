"""The entry point `s3` of `cloudserve.storage`."""

from __future__ import annotations

from collections.abc import Mapping

from cloudserve.storage.contract import PartStore

from ...extras import extra
from ...urls import split

FIRST_REGION = "us-east-1"


def open_url(url: str, environ: Mapping[str, str]) -> tuple[PartStore, str]:
    """Return the bucket that `s3://NAME/PREFIX` names, and the prefix; reaches no network.

    The region is AWS_REGION, AWS_DEFAULT_REGION or us-east-1. Raises MissingExtraError without
    `cloudserve[aws]`.
    """
    with extra(url, "aws"):
        from ..session import Access
        from .store import S3Blobs
    name, prefix = split(url)
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or FIRST_REGION
    return S3Blobs(name, region=region, access=Access(environ, region)), prefix
