"""The entry point `gs` of `cloudserve.storage`."""

from __future__ import annotations

from collections.abc import Mapping

from cloudserve.storage.contract import PartStore

from ...extras import extra
from ...urls import split

REGION = "us-central1"
NO_PROJECT = "-"
"""Objects of a bucket are reached without a project; only making one needs it."""


def open_url(url: str, environ: Mapping[str, str]) -> tuple[PartStore, str]:
    """Return the bucket that `gs://NAME/PREFIX` names, and the prefix; reaches no network.

    Raises MissingExtraError without `cloudserve[gcp]`.
    """
    with extra(url, "gcp"):
        from ..credentials import Access
        from .store import GcsBlobs
    name, prefix = split(url)
    store = GcsBlobs(
        name,
        project=environ.get("GOOGLE_CLOUD_PROJECT") or NO_PROJECT,
        region=REGION,
        access=Access(environ),
        emulator=environ.get("STORAGE_EMULATOR_HOST") or None,
    )
    return store, prefix
