"""Checks of a project for what a release to Vertex AI needs: permissions, the bucket's region."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cloudserve.doctor.result import Result, Status
from cloudserve.errors import CloudserveError, UserError

from .planning.checks import Located, check_bucket_region

if TYPE_CHECKING:
    from ..gcs.store import GcsBlobs
    from .api import VertexApi

NEEDED = (
    *("aiplatform.endpoints.create", "aiplatform.endpoints.deploy", "aiplatform.endpoints.get"),
    *("aiplatform.endpoints.list", "aiplatform.endpoints.predict"),
    *("aiplatform.endpoints.undeploy", "aiplatform.endpoints.update"),
    *("aiplatform.models.delete", "aiplatform.models.get", "aiplatform.models.list"),
    *("aiplatform.models.update", "aiplatform.models.upload", "aiplatform.operations.list"),
)
"""The permissions of a release in the project (docs: release-to-vertex, "Permissions")."""
NEEDED_ON_THE_BUCKET = (
    *("storage.buckets.get", "storage.multipartUploads.abort", "storage.multipartUploads.create"),
    *("storage.multipartUploads.list", "storage.multipartUploads.listParts"),
    *("storage.objects.create", "storage.objects.delete", "storage.objects.get"),
    "storage.objects.list",
)
_CREATION = "storage.buckets.create"
_DISPENSABLE = frozenset({"storage.buckets.get"})
"""A release does without it, as with `roles/storage.objectAdmin`: the region is not compared."""
_POLICY = "grant them: docs/how-to/release-to-vertex.md has the list"


def diagnose(api: VertexApi, blobs: GcsBlobs, region: str) -> Iterator[Result]:
    """Yield the results; nothing is changed."""
    has_bucket = _exists(blobs)
    in_project = (*NEEDED, _CREATION) if has_bucket is False else NEEDED
    project = f"the project {api.project}"
    yield _guarded("permissions", lambda: _held(project, in_project, api.permissions.missing))
    if has_bucket:
        needed = NEEDED_ON_THE_BUCKET
        id_ = "permissions on the bucket"
        yield _guarded(id_, lambda: _held(blobs.url, needed, blobs.missing_permissions, id_))
    yield _guarded("bucket's region", lambda: _region(region, blobs))


def _exists(blobs: GcsBlobs) -> bool | None:
    """Return whether the bucket exists; None if that cannot be asked, which its own check says."""
    try:
        return blobs.exists()
    except CloudserveError:
        return None


def _guarded(id_: str, check: Callable[[], Result]) -> Result:
    """Return the result of a check, or that it could not be made."""
    try:
        return check()
    except CloudserveError as error:
        return Result(id_, Status.SKIPPED, error.message, hint=error.hint or "")


def _held(
    place: str,
    needed: tuple[str, ...],
    missing: Callable[[tuple[str, ...]], tuple[str, ...]],
    id_: str = "permissions",
) -> Result:
    lacking = missing(needed)
    if lacking and _DISPENSABLE.issuperset(lacking):
        text = f"the caller may not {', '.join(lacking)} in {place}"
        return Result(id_, Status.WARNING, text, "its region cannot be compared", _POLICY)
    if lacking:
        text = f"the caller may not {', '.join(lacking)} in {place}"
        return Result(id_, Status.FAILED, text, "a release stops at the first", _POLICY)
    return Result(id_, Status.OK, f"the caller has all {len(needed)} of a release in {place}")


def _region(region: str, bucket: Located) -> Result:
    try:
        check_bucket_region(region, bucket)
    except UserError as error:
        why = "Vertex AI refuses to read the model"
        return Result("bucket's region", Status.FAILED, error.message, why, error.hint or "")
    location = bucket.location()
    if location is None:
        text = "there is no bucket yet, or its region cannot be read"
        return Result("bucket's region", Status.SKIPPED, text)
    return Result("bucket's region", Status.OK, f"{location.lower()}, for an endpoint in {region}")
