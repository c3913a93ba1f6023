"""Archives are reproducible, and have the names that they are given."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from functools import partial

import pytest

from cloudserve.storage.archive import pack_members
from cloudserve.storage.upload.file_slice import FileSlice

MIB = 1 << 20
FILES = {"code/inference.py": 50, "half/3/saved_model.pb": 1000, "half/3/v/data": 24 * MIB, "ü": 0}


@pytest.fixture
def paths(file):
    return {name: file(name, size, seed=size) for name, size in FILES.items()}


def packed(paths) -> bytes:
    out = io.BytesIO()
    sizes = {name: path.stat().st_size for name, path in paths.items()}
    members = ((n, sizes[n], partial(FileSlice, p, 0, sizes[n])) for n, p in paths.items())
    pack_members(members, out)
    return out.getvalue()


def test_members_keep_their_names_and_contents_and_lose_the_rest(paths):
    with tarfile.open(fileobj=io.BytesIO(packed(paths)), mode="r:gz") as tar:
        assert tar.getnames() == list(FILES)
        assert all(tar.extractfile(m).read() == paths[m.name].read_bytes() for m in tar)
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar} == {
            (0, 0, 0, "", "", 0o644)
        }


def test_the_bytes_depend_on_names_and_contents_only(paths):
    before = packed(paths)
    for path in paths.values():
        os.utime(path, (1, 1))
        path.chmod(0o755)
    assert packed(paths) == before
    paths["half/3/saved_model.pb"].write_bytes(b"other")
    assert packed(paths) != before


def test_the_gzip_stream_is_not_compressed(paths):
    archive = packed(paths)
    assert 0 <= len(archive) - len(gzip.decompress(archive)) < len(archive) // 1000


def test_a_body_that_is_shorter_than_its_size_is_an_error():
    with pytest.raises(OSError, match="unexpected end of data"):
        pack_members([("a", 5, lambda: io.BufferedReader(io.BytesIO(b"four")))], io.BytesIO())
