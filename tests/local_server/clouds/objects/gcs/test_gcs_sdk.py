"""GCS as an unmodified google-cloud-storage speaks it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    MethodNotImplemented,
    NotFound,
    PreconditionFailed,
)
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager

MIB = 1 << 20


@pytest.fixture(scope="module")
def gcs(gcs_port) -> Iterator[storage.Client]:
    client = storage.Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://127.0.0.1:{gcs_port}"},
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def bucket(gcs) -> storage.Bucket:
    return gcs.create_bucket("bkt")


def test_an_uploaded_object_is_downloaded_with_its_metadata(bucket):
    blob = bucket.blob("a/b c+d é.txt")
    blob.metadata = {"sha256": "0f"}
    blob.cache_control = "no-store"
    blob.upload_from_string("hello", content_type="text/plain")
    got = bucket.get_blob("a/b c+d é.txt")
    assert got.download_as_bytes() == b"hello"
    assert (got.content_type, got.cache_control) == ("text/plain", "no-store")
    assert got.metadata == {"sha256": "0f"}
    assert (got.size, got.crc32c, got.md5_hash) == (5, "mnG7TA==", "XUFAKrxLKna5cZ2REBfFkg==")
    assert got.generation == blob.generation
    assert got.time_created is not None


@pytest.mark.parametrize(
    "name", ["ab", "m" * 64, "10.1.2.3", "a..b", "goog-models", "my-google-models", "a." + "m" * 64]
)
def test_a_name_against_the_naming_guidelines_is_refused(gcs, name):
    with pytest.raises(BadRequest, match="Invalid bucket name"):
        gcs.create_bucket(name)


def test_headers_of_any_script_come_back_as_utf_8(bucket):
    blob = bucket.blob("disposed")
    blob.content_disposition = 'attachment; filename="€ é.txt"'
    blob.upload_from_string("hello")
    assert bucket.blob("disposed").download_as_bytes() == b"hello"
    answer = bucket.client._http.get(blob.media_link)
    sent = answer.headers["content-disposition"].encode("latin-1").decode()
    assert sent == blob.content_disposition


@pytest.mark.parametrize("field", ["content_type", "content_disposition", "cache_control"])
def test_a_header_with_a_line_break_is_refused_and_nothing_changes(bucket, field):
    blob = bucket.blob("unbroken")
    blob.upload_from_string("hello", content_type="text/plain")
    before = getattr(blob, field)
    setattr(blob, field, "x\r\nX-Evil: 1")
    with pytest.raises(BadRequest, match="Invalid value for"):
        blob.patch()
    blob.reload()
    assert getattr(blob, field) == before


def test_an_empty_object_is_an_object(bucket):
    bucket.blob("empty").upload_from_string(b"")
    assert bucket.blob("empty").download_as_bytes() == b""


@pytest.mark.parametrize("size", [11, 20 * MIB + 3])
def test_a_file_comes_back_the_same(bucket, tmp_path, size):
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(size))
    blob = bucket.blob(f"file/{size}", chunk_size=8 * MIB)
    blob.upload_from_filename(str(source), if_generation_match=0)
    assert (blob.size, blob.md5_hash is not None) == (size, True)
    bucket.blob(f"file/{size}").download_to_filename(str(back))
    assert back.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("size", [5, 9 * MIB])
def test_a_create_only_upload_wins_once_whatever_its_kind(bucket, tmp_path, size):
    source = tmp_path / "source"
    source.write_bytes(b"1" * size)
    bucket.blob(f"lock/{size}").upload_from_filename(str(source), if_generation_match=0)
    with pytest.raises(PreconditionFailed) as refused:
        bucket.blob(f"lock/{size}").upload_from_filename(str(source), if_generation_match=0)
    assert refused.value.response.json()["error"]["errors"][0]["reason"] == "conditionNotMet"


def test_a_write_by_generation_replaces_what_it_names_only(bucket):
    blob = bucket.blob("cas")
    blob.upload_from_string("1")
    blob.upload_from_string("2", if_generation_match=blob.generation)
    with pytest.raises(PreconditionFailed):
        blob.upload_from_string("3", if_generation_match=1)
    with pytest.raises(PreconditionFailed):
        bucket.blob("cas").delete(if_generation_match=1)
    assert bucket.blob("cas").download_as_text() == "2"


def test_parts_go_up_concurrently_through_the_xml_api(bucket, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(17 * MIB))
    transfer_manager.upload_chunks_concurrently(
        str(source), bucket.blob("mpu"), chunk_size=8 * MIB, worker_type="thread"
    )
    blob = bucket.get_blob("mpu")
    assert (blob.component_count, blob.md5_hash) == (3, None)
    assert blob.download_as_bytes() == source.read_bytes()


def test_listings_come_in_pages_with_prefixes(gcs, bucket):
    for name in ("l/a", "l/m/1", "l/m/2", "l/n/1", "l/z"):
        bucket.blob(name).upload_from_string(b"")
    listing = gcs.list_blobs("bkt", prefix="l/", delimiter="/", page_size=2)
    assert [blob.name for page in listing.pages for blob in page] == ["l/a", "l/z"]
    assert listing.prefixes == {"l/m/", "l/n/"}
    part = gcs.list_blobs("bkt", prefix="l/", start_offset="l/m/2", end_offset="l/z")
    assert [blob.name for blob in part] == ["l/m/2", "l/n/1"]
    assert list(gcs.list_blobs("bkt", prefix="none")) == []


def test_metadata_is_patched_under_its_condition(bucket):
    blob = bucket.blob("patched")
    blob.metadata = {"keep": "1", "drop": "2"}
    blob.upload_from_string("x")
    blob.metadata = {"drop": None, "new": "3"}
    blob.patch(if_metageneration_match=1)
    assert blob.metageneration == 2
    assert bucket.get_blob("patched").metadata == {"keep": "1", "new": "3"}
    blob.metadata = {"new": "4"}
    with pytest.raises(PreconditionFailed):
        blob.patch(if_metageneration_match=1)
    blob.content_type = "text/x"
    blob.update()
    assert bucket.get_blob("patched").content_type == "text/x"


def test_objects_are_composed_copied_and_rewritten(bucket):
    for name, content in (("p/1", "one "), ("p/2", "two")):
        bucket.blob(name).upload_from_string(content)
    whole = bucket.blob("p/whole")
    whole.content_type = "text/plain"
    whole.compose([bucket.blob("p/1"), bucket.blob("p/2")], if_generation_match=0)
    assert (whole.download_as_text(), whole.component_count) == ("one two", 2)
    copied = bucket.copy_blob(bucket.blob("p/1"), bucket, "p/copy", if_generation_match=0)
    assert copied.download_as_text() == "one "
    with pytest.raises(PreconditionFailed):
        bucket.copy_blob(bucket.blob("p/1"), bucket, "p/copy", if_generation_match=0)
    rewritten = bucket.blob("p/rewritten")
    token, done, size = rewritten.rewrite(bucket.blob("p/2"))
    assert (token, done, size) == (None, 3, 3)
    with pytest.raises(NotFound):
        bucket.blob("p/x").compose([bucket.blob("p/1"), bucket.blob("p/none")])


def test_a_range_is_downloaded(bucket):
    bucket.blob("r").upload_from_string("0123456789")
    assert bucket.blob("r").download_as_bytes(start=2, end=4) == b"234"


def test_missing_buckets_and_objects_are_reported(gcs, bucket):
    assert bucket.get_blob("none") is None
    with pytest.raises(NotFound):
        bucket.blob("none").download_as_bytes()
    with pytest.raises(NotFound):
        bucket.blob("none").delete()
    with pytest.raises(NotFound):
        gcs.bucket("no-bucket").blob("k").upload_from_string("x")
    with pytest.raises(NotFound):
        gcs.get_bucket("no-bucket")


def test_buckets_are_made_once_listed_and_deleted_empty(gcs):
    made = gcs.create_bucket("other", location="europe-west1")
    assert made.location == "EUROPE-WEST1"
    assert "other" in {each.name for each in gcs.list_buckets()}
    with pytest.raises(Conflict):
        gcs.create_bucket("other")
    made.blob("k").upload_from_string("x")
    with pytest.raises(Conflict):
        made.delete()
    made.blob("k").delete()
    made.delete()
    assert not made.exists()
    with pytest.raises(BadRequest):
        gcs.create_bucket("Not_A_Bucket")


def test_features_of_gcs_that_are_missing_here_are_refused_by_name(bucket):
    with pytest.raises(MethodNotImplemented):
        bucket.acl.reload()
