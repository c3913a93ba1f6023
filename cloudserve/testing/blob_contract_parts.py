"""The PartStore contract as tests: what the transfer machinery relies on in a bucket."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.storage.contract import Part, PartStore, UploadGoneError
from cloudserve.storage.events import SILENT
from cloudserve.storage.upload.file_slice import FileSlice

# ruff: noqa: D102 - tests: a name is a sentence, and asserts are the point
PART = 5 << 20
"""The smallest part that every service takes."""
SIZE = 2 * PART + 12_345
SPANS = ((1, 0, PART), (2, PART, PART), (3, 2 * PART, 12_345))


def send(
    parts: PartStore, key: str, upload: str, path: Path, numbers: tuple[int, ...] = (1, 2, 3)
) -> list[Part]:
    """Send these parts of a file, in this order."""
    sent = []
    for number in numbers:
        _, offset, size = SPANS[number - 1]
        with FileSlice(path, offset, size) as body:
            sent.append(parts.send_part(key, upload, number, body))
    return sent


class PartStoreContract:
    """Subclasses give the fixture `missing`: a PartStore of a bucket that does not exist yet."""

    @pytest.fixture
    def missing(self) -> PartStore:
        raise NotImplementedError("give a PartStore whose bucket does not exist yet")

    @pytest.fixture
    def parts(self, missing: PartStore) -> PartStore:
        missing.ensure(SILENT)
        return missing

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "weights"
        path.write_bytes(random.Random(1).randbytes(SIZE))  # noqa: S311 - bytes, no secret
        return path

    @pytest.fixture
    def upload(self, parts: PartStore) -> str:
        upload = parts.begin("a b/ü", {"about": "it"})
        if upload is None:
            pytest.skip("the service takes no parts")
        return upload

    def test_it_is_a_part_store(self, parts: PartStore) -> None:
        assert isinstance(parts, PartStore)

    def test_a_file_is_put_whole_with_its_metadata(self, parts: PartStore, path: Path) -> None:
        with FileSlice(path) as body:
            parts.put("key", body, {"about": "it"})
        head = parts.head("key")
        assert head is not None
        assert (head.size, dict(head.metadata)) == (SIZE, {"about": "it"})
        content = parts.read("key")
        assert content is not None
        assert content[0] == path.read_bytes()

    def test_parts_become_the_object_when_they_are_completed_and_not_before(
        self, parts: PartStore, upload: str, path: Path
    ) -> None:
        late, early = send(parts, "a b/ü", upload, path, (3, 1))
        (middle,) = send(parts, "a b/ü", upload, path, (2,))
        assert parts.head("a b/ü") is None
        parts.complete("a b/ü", upload, [early, middle, late])
        head = parts.head("a b/ü")
        assert head is not None
        assert (head.size, dict(head.metadata)) == (SIZE, {"about": "it"})
        content = parts.read("a b/ü")
        assert content is not None
        assert content[0] == path.read_bytes()

    def test_another_process_finds_the_upload_and_its_parts(
        self, parts: PartStore, upload: str, path: Path
    ) -> None:
        sent = send(parts, "a b/ü", upload, path, (2, 1))
        assert parts.open_uploads("a b/ü") == (upload,)
        assert parts.open_uploads("a b/") == ()
        listed = parts.parts("a b/ü", upload)
        assert [(p.number, p.size) for p in listed] == [(1, PART), (2, PART)]
        assert {p.token for p in listed} == {p.token for p in sent}
        with FileSlice(path, PART, PART) as same, FileSlice(path, 0, PART) as other:
            taken = parts.reuse_part(listed[1], same)
            assert parts.reuse_part(listed[1], other) is None
        assert taken is not None
        (first, last) = send(parts, "a b/ü", upload, path, (1, 3))
        parts.complete("a b/ü", upload, [first, taken, last])
        read = parts.read("a b/ü")
        assert read is not None
        assert read[0] == path.read_bytes()

    def test_a_part_that_is_sent_again_replaces_the_first(
        self, parts: PartStore, upload: str, path: Path, tmp_path: Path
    ) -> None:
        wrong = tmp_path / "wrong"
        wrong.write_bytes(bytes(SIZE))
        send(parts, "a b/ü", upload, wrong)
        sent = send(parts, "a b/ü", upload, path)
        parts.complete("a b/ü", upload, sent)
        content = parts.read("a b/ü")
        assert content is not None
        assert content[0] == path.read_bytes()

    def test_every_call_of_a_missing_upload_raises_its_error(
        self, parts: PartStore, upload: str, path: Path
    ) -> None:
        sent = send(parts, "a b/ü", upload, path)
        parts.abort("a b/ü", upload)
        assert parts.open_uploads("a b/ü") == ()
        assert parts.head("a b/ü") is None
        with pytest.raises(UploadGoneError):
            parts.parts("a b/ü", upload)
        with pytest.raises(UploadGoneError):
            send(parts, "a b/ü", upload, path, (1,))
        with pytest.raises(UploadGoneError):
            parts.complete("a b/ü", upload, sent)
        parts.abort("a b/ü", upload)

    def test_a_bucket_that_is_missing_takes_no_upload(self, missing: PartStore, path: Path) -> None:
        with pytest.raises(RemoteError):
            missing.begin("key", {})
        with pytest.raises(RemoteError), FileSlice(path) as body:
            missing.put("key", body, {})

    @pytest.mark.parametrize(
        ("offset", "size"), [(0, SIZE), (PART - 1, 3), (SIZE - 1, 1), (7, 9 << 20)]
    )
    def test_a_span_of_an_object_is_read(
        self, parts: PartStore, path: Path, offset: int, size: int
    ) -> None:
        with FileSlice(path) as body:
            parts.put("key", body, {})
        head = parts.head("key")
        assert head is not None
        data = b"".join(parts.read_range(head, offset, size))
        assert data == path.read_bytes()[offset : offset + size]

    def test_an_object_is_copied_as_it_was_when_it_was_looked_at(self, parts: PartStore) -> None:
        parts.write("from/a b", b"content")
        head = parts.head("from/a b")
        assert head is not None
        parts.copy(head, "to/ü", {"about": "the copy"})
        copied = parts.head("to/ü")
        assert copied is not None
        assert (copied.size, dict(copied.metadata)) == (7, {"about": "the copy"})
        assert parts.read("to/ü") == (b"content", copied.token)
        parts.write("from/a b", b"another")
        with pytest.raises(ConflictError, match="replaced or deleted"):
            parts.copy(head, "to/ü", {})
        parts.delete("from/a b")
        with pytest.raises(ConflictError, match="replaced or deleted"):
            parts.copy(head, "to/ü", {})
        assert parts.read("to/ü") == (b"content", copied.token)

    def test_an_object_that_changed_is_not_read_on(self, parts: PartStore) -> None:
        parts.write("key", b"before")
        (listed,) = parts.list("key")
        assert b"".join(parts.read_range(listed, 2, 4)) == b"fore"
        parts.write("key", b"after!")
        with pytest.raises(ConflictError, match="replaced or deleted"):
            list(parts.read_range(listed, 0, 6))
        parts.delete("key")
        with pytest.raises(ConflictError, match="replaced or deleted"):
            list(parts.read_range(listed, 0, 6))
