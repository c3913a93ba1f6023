"""What `doctor` makes of the permissions that a caller lacks."""

from types import SimpleNamespace

import pytest
from cloudserve.adapters.google.vertex.diagnosis import diagnose

from cloudserve.errors import RemoteError


class Bucket:
    url = "gs://models"

    def __init__(self, *lacking):
        self.lacking = set(lacking)

    def exists(self):
        return True

    def location(self):
        return None if "storage.buckets.get" in self.lacking else "US-CENTRAL1"

    def missing_permissions(self, names):
        return tuple(name for name in names if name in self.lacking)


@pytest.mark.parametrize(
    ("lacking", "status"),
    [
        ((), "ok"),
        (("storage.buckets.get",), "warning"),  # roles/storage.objectAdmin
        (("storage.buckets.get", "storage.objects.create"), "failed"),
    ],
)
def test_a_permission_that_a_release_does_without_is_no_failure(lacking, status):
    api = SimpleNamespace(project="p", permissions=SimpleNamespace(missing=lambda names: ()))
    results = {one.id: one for one in diagnose(api, Bucket(*lacking), "us-central1")}
    on_bucket = results["permissions on the bucket"]
    assert on_bucket.status == status
    assert all(name in on_bucket.text for name in lacking)


class SilentBucket(Bucket):
    def exists(self):
        raise RemoteError("look for the bucket: no usable credentials")

    def location(self):
        raise RemoteError("look for the bucket: no usable credentials")


def test_without_credentials_each_check_is_listed():
    def missing(names):
        raise RemoteError("no usable credentials")

    api = SimpleNamespace(project="p", permissions=SimpleNamespace(missing=missing))
    results = {one.id: one.status for one in diagnose(api, SilentBucket(), "us-central1")}
    assert results == {"permissions": "skipped", "bucket's region": "skipped"}
