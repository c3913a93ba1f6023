"""The BlobStore contract as tests: what the release engine relies on in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudserve.errors import ConflictError, ModelError, RemoteError
from cloudserve.storage.contract import BlobStore, Expect
from cloudserve.storage.events import SILENT, Reporter

# ruff: noqa: D102 - tests: a name is a sentence, and asserts are the point
MIB = 2**20


class BlobStoreContract:
    """Subclasses give the fixture `missing`: a BlobStore of a bucket that does not exist yet."""

    @pytest.fixture
    def missing(self) -> BlobStore:
        raise NotImplementedError("give a BlobStore whose bucket does not exist yet")

    @pytest.fixture
    def blobs(self, missing: BlobStore) -> BlobStore:
        missing.ensure(SILENT)
        return missing

    def test_the_url_names_the_bucket_without_a_slash_at_the_end(self, blobs: BlobStore) -> None:
        scheme, _, name = blobs.url.partition("://")
        assert scheme
        assert name
        assert not name.endswith("/")

    def test_ensure_reports_a_created_bucket_and_no_existing_one(self, missing: BlobStore) -> None:
        lines: list[str] = []
        missing.ensure(Reporter(lines.append))
        missing.ensure(Reporter(lines.append))
        assert len(lines) == 1
        assert missing.url in lines[0]

    def test_a_bucket_exists_once_it_is_made(self, missing: BlobStore) -> None:
        assert not missing.exists()
        missing.ensure(SILENT)
        assert missing.exists()

    def test_reading_a_missing_bucket_finds_nothing(self, missing: BlobStore) -> None:
        assert missing.read("a") is None
        assert missing.head("a") is None
        assert list(missing.list("")) == []
        missing.delete("a")

    def test_writing_to_a_missing_bucket_is_an_error(
        self, missing: BlobStore, tmp_path: Path
    ) -> None:
        with pytest.raises(RemoteError) as error:
            missing.write("a", b"x")
        assert missing.url in error.value.message
        file = tmp_path / "file"
        file.write_bytes(b"x")
        with pytest.raises(RemoteError):
            missing.upload("a", file, {})

    def test_reads_what_was_written(self, blobs: BlobStore) -> None:
        token = blobs.write("folder/key", b"\x00data")
        assert blobs.read("folder/key") == (b"\x00data", token)

    def test_an_absent_object_is_none(self, blobs: BlobStore) -> None:
        assert blobs.read("absent") is None
        assert blobs.head("absent") is None

    def test_an_object_can_be_empty(self, blobs: BlobStore) -> None:
        token = blobs.write("empty", b"")
        assert blobs.read("empty") == (b"", token)

    @pytest.mark.parametrize("key", ["a b/c+d=e&f", "ä/ü", "a%2Fb", "a//b", "dot/../dot"])
    def test_keys_are_taken_as_they_are(self, blobs: BlobStore, key: str) -> None:
        blobs.write(key, b"x")
        assert [blob.key for blob in blobs.list("")] == [key]
        assert blobs.read(key) is not None

    def test_a_write_changes_the_token(self, blobs: BlobStore) -> None:
        assert blobs.write("key", b"1") != blobs.write("key", b"2")

    def test_expecting_absence_creates_once(self, blobs: BlobStore) -> None:
        token = blobs.write("key", b"first", Expect.ABSENT)
        with pytest.raises(ConflictError):
            blobs.write("key", b"second", Expect.ABSENT)
        assert blobs.read("key") == (b"first", token)

    def test_expecting_a_token_replaces_exactly_that_object(self, blobs: BlobStore) -> None:
        old = blobs.write("key", b"1")
        new = blobs.write("key", b"2", old)
        with pytest.raises(ConflictError):
            blobs.write("key", b"3", old)
        assert blobs.read("key") == (b"2", new)

    def test_expecting_a_token_of_a_deleted_object_conflicts(self, blobs: BlobStore) -> None:
        token = blobs.write("key", b"1")
        blobs.delete("key")
        with pytest.raises(ConflictError):
            blobs.write("key", b"2", token)
        assert blobs.read("key") is None

    def test_deleting_a_missing_object_is_no_error(self, blobs: BlobStore) -> None:
        blobs.delete("absent")

    def test_lists_a_prefix_in_key_order(self, blobs: BlobStore) -> None:
        for key in ("b/2", "a/1", "b/10", "b/1"):
            blobs.write(key, key.encode())
        assert [(blob.key, blob.size) for blob in blobs.list("b/")] == [
            ("b/1", 3),
            ("b/10", 4),
            ("b/2", 3),
        ]

    def test_a_listing_leaves_out_the_empty_folders_of_consoles(self, blobs: BlobStore) -> None:
        for key in ("m/", "m/1/", "m/1/variables/"):
            blobs.write(key, b"")
        for key in ("m/1/empty", "m/1/kept/"):
            blobs.write(key, b"" if key.endswith("y") else b"x")
        assert [blob.key for blob in blobs.list("m/")] == ["m/1/empty", "m/1/kept/"]
        assert blobs.head("m/1/variables/") is not None

    def test_listings_and_heads_have_the_token(self, blobs: BlobStore) -> None:
        token = blobs.write("key", b"x")
        head = blobs.head("key")
        assert head is not None
        assert head.token == token
        assert [blob.token for blob in blobs.list("")] == [token]

    @pytest.mark.parametrize("size", [0, 1, 20 * MIB + 1], ids=["empty", "small", "parts"])
    def test_uploads_files_of_any_size_with_metadata(
        self, blobs: BlobStore, tmp_path: Path, size: int
    ) -> None:
        file = tmp_path / "file"
        data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
        file.write_bytes(data)
        blobs.upload("model/file", file, {"cloudserve-sha256": "abc"})
        head = blobs.head("model/file")
        assert head is not None
        assert (head.size, head.metadata) == (size, {"cloudserve-sha256": "abc"})
        content = blobs.read("model/file")
        assert content is not None
        assert content[0] == data

    def test_uploading_again_replaces_the_object(self, blobs: BlobStore, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"one")
        blobs.upload("key", file, {"a": "1"})
        file.write_bytes(b"three")
        blobs.upload("key", file, {"a": "2"})
        head = blobs.head("key")
        assert head is not None
        assert (head.size, head.metadata) == (5, {"a": "2"})

    def test_a_missing_file_is_a_model_error(self, blobs: BlobStore, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="cannot be read") as error:
            blobs.upload("key", tmp_path / "gone", {})
        assert error.value.where == str(tmp_path / "gone")
        assert blobs.head("key") is None
