"""Versions, soft delete, holds, retention and moves, through google-cloud-storage."""

from __future__ import annotations

import gzip
import io
import itertools

import pytest
import requests
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

NAMES = (f"kept-{number}" for number in itertools.count())
WEEK = 7 * 24 * 3600


@pytest.fixture(scope="module")
def gcs(gcs_port):
    client = storage.Client(
        project="p",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://127.0.0.1:{gcs_port}"},
    )
    yield client
    client.close()


@pytest.fixture
def bucket(gcs):
    return gcs.create_bucket(next(NAMES))


@pytest.fixture
def versioned(bucket):
    bucket.versioning_enabled = True
    bucket.patch()
    return bucket


def put(bucket, name: str, content: bytes) -> int:
    blob = bucket.blob(name)
    blob.upload_from_string(content)
    return blob.generation


def listed(bucket, **options) -> list[tuple[str, int]]:
    return [(each.name, each.generation) for each in bucket.list_blobs(**options)]


def test_versioning_is_kept(gcs, bucket):
    assert not bucket.versioning_enabled
    bucket.versioning_enabled = True
    bucket.patch()
    assert gcs.get_bucket(bucket.name).versioning_enabled


def test_noncurrent_versions_are_read_listed_and_deleted(versioned):
    first, second = put(versioned, "k", b"1"), put(versioned, "k", b"2")
    assert versioned.blob("k", generation=first).download_as_bytes() == b"1"
    assert listed(versioned) == [("k", second)]
    assert listed(versioned, versions=True) == [("k", first), ("k", second)]
    assert versioned.get_blob("k", generation=first).time_deleted
    versioned.blob("k").delete()
    with pytest.raises(NotFound):
        versioned.blob("k").download_as_bytes()
    assert listed(versioned, versions=True) == [("k", first), ("k", second)]
    versioned.blob("k", generation=second).delete()
    assert listed(versioned, versions=True) == [("k", first)]
    assert listed(versioned) == []  # a version does not become live by itself
    with pytest.raises(NotFound):
        versioned.blob("k", generation=second).delete()
    versioned.copy_blob(versioned.blob("k"), versioned, "k", source_generation=first)
    assert versioned.blob("k").download_as_bytes() == b"1"


@pytest.mark.parametrize("size", [1, 3])
def test_versions_come_in_pages(versioned, size):
    for name in ("a", "b/1", "b/2", "c"):
        put(versioned, name, b"1")
        put(versioned, name, b"2")
    whole = listed(versioned, versions=True)
    assert whole == sorted(set(whole))
    assert len(whole) == 8
    assert listed(versioned, versions=True, page_size=size) == whole
    folded = versioned.list_blobs(versions=True, delimiter="/", page_size=size)
    assert [each.name for each in folded] == ["a", "a", "c", "c"]
    assert folded.prefixes == {"b/"}


def test_a_bucket_with_noncurrent_versions_is_not_empty(versioned):
    put(versioned, "k", b"1")
    versioned.blob("k").delete()
    with pytest.raises(Exception, match="not empty"):
        versioned.delete()


def test_metadata_of_a_version_is_changed_under_its_conditions(versioned):
    first = put(versioned, "k", b"1")
    put(versioned, "k", b"2")
    old = versioned.blob("k", generation=first)
    old.metadata = {"a": "1"}
    old.patch(if_metageneration_match=1)
    assert versioned.get_blob("k", generation=first).metadata == {"a": "1"}
    assert versioned.get_blob("k").metadata is None
    with pytest.raises(PreconditionFailed):
        old.patch(if_metageneration_match=1)


def test_soft_deleted_objects_are_listed_and_restored(bucket):
    bucket.soft_delete_policy.retention_duration_seconds = WEEK
    bucket.patch()
    assert bucket.soft_delete_policy.effective_time
    generation = put(bucket, "k", b"1")
    bucket.blob("k").delete()
    assert listed(bucket) == []
    (deleted,) = bucket.list_blobs(soft_deleted=True)
    assert (deleted.generation, (deleted.hard_delete_time - deleted.soft_delete_time).days) == (
        generation,
        7,
    )
    with pytest.raises(NotFound):
        bucket.blob("k", generation=generation).download_as_bytes()
    restored = bucket.restore_blob("k", generation=generation)
    assert restored.generation > generation
    assert bucket.blob("k").download_as_bytes() == b"1"
    bucket.blob("k").delete()
    bucket.delete()  # soft-deleted objects do not keep it


@pytest.mark.parametrize("kind", ["temporary_hold", "event_based_hold"])
def test_a_held_object_is_neither_deleted_nor_replaced(bucket, kind):
    generation = put(bucket, "k", b"1")
    blob = bucket.get_blob("k")
    setattr(blob, kind, True)
    blob.patch()
    with pytest.raises(Forbidden, match="hold and cannot be deleted, overwritten or archived"):
        bucket.blob("k").delete()
    with pytest.raises(Forbidden):
        bucket.blob("k", generation=generation).delete()
    with pytest.raises(Forbidden):
        put(bucket, "k", b"2")
    with pytest.raises(Forbidden):
        bucket.rename_blob(bucket.blob("k"), "m")
    assert bucket.blob("k").download_as_bytes() == b"1"
    setattr(blob, kind, False)
    blob.patch()
    bucket.blob("k").delete()


def test_a_retained_object_is_neither_deleted_nor_replaced(gcs, bucket):
    bucket.retention_period = 3600
    bucket.default_event_based_hold = True
    bucket.patch()
    assert gcs.get_bucket(bucket.name).retention_policy_effective_time
    put(bucket, "k", b"1")
    blob = bucket.get_blob("k")
    assert blob.event_based_hold
    blob.event_based_hold = False
    blob.patch()
    assert bucket.get_blob("k").retention_expiration_time
    with pytest.raises(Forbidden, match="is subject to bucket's retention policy"):
        bucket.blob("k").delete()
    with pytest.raises(Forbidden):
        put(bucket, "k", b"2")


def test_other_settings_are_kept(gcs, bucket):
    bucket.cors = [{"origin": ["*"], "method": ["GET"], "maxAgeSeconds": 60}]
    bucket.storage_class = "NEARLINE"
    bucket.patch()
    fresh = gcs.get_bucket(bucket.name)
    assert fresh.cors == bucket.cors
    fresh.cors = []
    fresh.patch()
    assert gcs.get_bucket(bucket.name).cors == []


def test_a_move_is_one_step(gcs, bucket):
    generation = put(bucket, "a", b"1")
    moved = bucket.move_blob(bucket.blob("a"), "b", if_source_generation_match=generation)
    assert (moved.name, listed(bucket)) == ("b", [("b", moved.generation)])
    with pytest.raises(NotFound):
        bucket.move_blob(bucket.blob("a"), "c")
    put(bucket, "c", b"2")
    with pytest.raises(PreconditionFailed):
        bucket.move_blob(bucket.blob("b"), "c", if_generation_match=0)
    assert bucket.blob("b").download_as_bytes() == b"1"


GLOBS = {
    "*": ["a.txt", "b.log", "é.txt"],
    "**": ["a.txt", "b.log", "d/", "d/c.txt", "d/e/f.txt", "é.txt"],
    "*.txt": ["a.txt", "é.txt"],
    "**/*.txt": ["d/c.txt", "d/e/f.txt"],
    "d/*": ["d/", "d/c.txt"],
    "?.txt": ["a.txt", "é.txt"],
    "{a,b}.*": ["a.txt", "b.log"],
    "[!a-z].txt": ["é.txt"],
    "d/**.txt": ["d/c.txt", "d/e/f.txt"],
}


@pytest.fixture(scope="module")
def globbed(gcs):
    made = gcs.create_bucket("globbed")
    for name in GLOBS["**"]:
        put(made, name, b"")
    return made


@pytest.mark.parametrize("glob", GLOBS)
def test_names_are_matched_by_a_glob(globbed, glob):
    names = [each.name for each in globbed.list_blobs(match_glob=glob)]
    assert names == GLOBS[glob]
    paged = globbed.list_blobs(match_glob=glob, page_size=1)
    assert [each.name for each in paged] == GLOBS[glob]


@pytest.mark.parametrize("glob", ["{a", "[z-a]", "*" * 100])
def test_a_wrong_glob_is_refused(globbed, glob):
    with pytest.raises(BadRequest, match="glob"):
        list(globbed.list_blobs(match_glob=glob))


def test_folders_are_listed_as_objects_too_when_asked(globbed):
    plain = globbed.list_blobs(delimiter="/")
    assert ([each.name for each in plain], plain.prefixes) == (GLOBS["*"], {"d/"})
    both = globbed.list_blobs(delimiter="/", include_trailing_delimiter=True)
    assert [each.name for each in both] == ["a.txt", "b.log", "d/", "é.txt"]


def test_policies_are_kept_with_their_etag(gcs, bucket):
    policy = bucket.get_iam_policy(requested_policy_version=3)
    assert {each["role"] for each in policy.bindings} >= {"roles/storage.legacyBucketOwner"}
    stale = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"user:a@b.c"}})
    bucket.set_iam_policy(policy)
    kept = bucket.get_iam_policy(requested_policy_version=3)
    assert kept["roles/storage.objectViewer"] == {"user:a@b.c"} if kept.version < 3 else kept
    bucket.labels = {"a": "1"}
    bucket.patch()
    roles = [each["role"] for each in bucket.get_iam_policy(requested_policy_version=3).bindings]
    assert "roles/storage.objectViewer" in roles
    with pytest.raises(PreconditionFailed):
        bucket.set_iam_policy(stale)
    stale.etag = None
    stale.bindings.append({"role": "viewer", "members": {"user:a@b.c"}})
    with pytest.raises(BadRequest, match="is not supported"):
        bucket.set_iam_policy(stale)
    assert bucket.test_iam_permissions(["storage.objects.get"]) == ["storage.objects.get"]


def test_calls_in_a_batch_are_answered_each(gcs, bucket):
    for name in ("a", "b"):
        put(bucket, name, b"1")
    with gcs.batch(raise_exception=False):
        changed = bucket.blob("a")
        changed.metadata = {"é": "1"}
        changed.patch()
        bucket.blob("b").delete()
        bucket.blob("missing").delete()
    assert bucket.get_blob("a").metadata == {"é": "1"}
    assert bucket.get_blob("b") is None
    with pytest.raises(NotFound), gcs.batch():
        bucket.blob("missing").delete()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/mixed; boundary=B"),
        (b"--B\r\n\r\nnonsense\r\n--B--", "multipart/mixed; boundary=B"),
        (
            b"--B\r\n\r\nGET /storage/v1/b/b/o/k?alt=media HTTP/1.1\r\n\r\n--B--",
            "multipart/mixed; boundary=B",
        ),
        (b"--B\r\n\r\nPOST /upload/storage/v1/b/b/o\r\n\r\n--B--", "multipart/mixed; boundary=B"),
        (b"{}", "application/json"),
    ],
)
def test_a_wrong_batch_is_refused(gcs_port, body, content_type):
    url = f"http://127.0.0.1:{gcs_port}/batch/storage/v1"
    answer = requests.post(url, body, headers={"content-type": content_type}, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def test_a_customers_key_is_needed_to_read(bucket):
    blob = bucket.blob("k", encryption_key=KEY)
    blob.upload_from_string(b"secret")
    assert blob.download_as_bytes() == b"secret"
    assert bucket.get_blob("k")._properties["customerEncryption"]["encryptionAlgorithm"] == "AES256"
    with pytest.raises(BadRequest, match="is encrypted by a customer-supplied"):
        bucket.blob("k").download_as_bytes()
    with pytest.raises(BadRequest, match="The provided encryption key is incorrect"):
        bucket.blob("k", encryption_key=OTHER_KEY).download_as_bytes()
    rotated = bucket.blob("k", encryption_key=OTHER_KEY)
    rotated.rewrite(blob)
    assert rotated.download_as_bytes() == b"secret"
    plain = bucket.blob("plain")
    plain.rewrite(rotated)
    assert plain.download_as_bytes() == b"secret"
    with pytest.raises(BadRequest, match="is not encrypted"):
        bucket.blob("plain", encryption_key=KEY).download_as_bytes()
    large = bucket.blob("large", chunk_size=256 << 10, encryption_key=KEY)
    large.upload_from_file(io.BytesIO(bytes(300 << 10)), size=300 << 10)
    with pytest.raises(BadRequest, match="is encrypted"):
        bucket.blob("large").download_as_bytes()


def test_a_gzip_object_is_unpacked_for_clients_that_do_not_take_gzip(gcs_port, bucket):
    packed = gzip.compress(b"hello" * 100)
    blob = bucket.blob("k.txt")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed, content_type="text/plain")
    url = f"http://127.0.0.1:{gcs_port}/download/storage/v1/b/{bucket.name}/o/k.txt?alt=media"

    def get(**headers):
        answer = requests.get(url, headers=headers, timeout=60, stream=True)
        return answer, answer.raw.read(decode_content=False)

    answer, body = get(**{"Accept-Encoding": "identity"})
    assert (answer.status_code, body) == (200, b"hello" * 100)
    assert "content-encoding" not in answer.headers
    assert answer.headers["x-goog-stored-content-encoding"] == "gzip"
    assert answer.headers["x-goog-stored-content-length"] == str(len(packed))
    answer, body = get(**{"Accept-Encoding": "identity", "Range": "bytes=0-4"})
    assert (answer.status_code, len(body)) == (200, 500)
    answer, body = get(**{"Accept-Encoding": "gzip"})
    assert (body, answer.headers["content-encoding"]) == (packed, "gzip")
    assert bucket.blob("k.txt").download_as_bytes() == b"hello" * 100
    assert bucket.blob("k.txt").download_as_bytes(raw_download=True) == packed
    blob.cache_control = "no-transform"
    blob.patch()
    assert get(**{"Accept-Encoding": "identity"})[1] == packed
    wrong = bucket.blob("k.txt")
    wrong.content_encoding = "gzip"
    wrong.upload_from_string(b"not gzip")
    assert get(**{"Accept-Encoding": "identity"})[0].status_code == 503


@pytest.mark.parametrize("total", ["*", "7"])
def test_the_node_client_uploads_without_knowing_the_size(gcs_port, bucket, total):
    base = f"http://127.0.0.1:{gcs_port}/upload/storage/v1/b/{bucket.name}/o"
    begun = requests.post(f"{base}?uploadType=resumable&name=n", json={}, timeout=60)
    url = begun.headers["location"]
    body = (piece for piece in (b"abc", b"defg"))
    done = requests.put(url, body, headers={"Content-Range": f"bytes 0-*/{total}"}, timeout=60)
    assert (done.status_code, done.json()["size"]) == (200, "7")
    assert bucket.blob("n").download_as_bytes() == b"abcdefg"


def test_the_layout_of_a_bucket_has_no_folders(gcs_port, bucket):
    url = f"http://127.0.0.1:{gcs_port}/storage/v1/b/{bucket.name}/storageLayout"
    layout = requests.get(url, timeout=60).json()
    assert layout["hierarchicalNamespace"] == {"enabled": False}
