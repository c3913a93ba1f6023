"""A span of a file is a body of its own: read, sought, and read again from its start."""

from __future__ import annotations

import hashlib
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ModelError
from cloudserve.storage.upload.file_slice import BLOCK, Blocks, FileSlice, md5_of

CONTENT = bytes(range(200))
STEPS = st.lists(
    st.tuples(st.just("read"), st.integers(-1, 250))
    | st.tuples(st.just("seek"), st.integers(0, 250))
    | st.tuples(st.just("skip"), st.integers(-50, 50))
    | st.tuples(st.just("from end"), st.integers(-250, 0))
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("window") / "file"
    path.write_bytes(CONTENT)
    return path


@given(offset=st.integers(0, 200), size=st.integers(0, 200), steps=STEPS)
def test_a_window_reads_as_the_same_bytes_in_memory_do(path, offset, size, steps):
    size = min(size, len(CONTENT) - offset)
    memory = io.BytesIO(CONTENT[offset : offset + size])
    with FileSlice(path, offset, size) as window:
        for verb, number in steps:
            if verb == "read":
                assert window.read(number) == memory.read(number)
            elif verb == "seek":
                memory.seek(window.seek(number))
            elif verb == "skip":
                memory.seek(window.seek(number, os.SEEK_CUR))
            else:
                memory.seek(window.seek(number, os.SEEK_END))
            assert 0 <= window.tell() == memory.tell() <= size


def test_a_window_reports_where_its_reader_is_and_may_stop_it(path):
    lines = []

    def on_read(position):
        lines.append(position)
        if position == 30:
            raise InterruptedError

    window = FileSlice(path, 10, 50, on_read)
    window.read(10)
    assert list(window.blocks()) == [CONTENT[10:60]]  # a checksum is nobody's progress
    window.seek(0)
    with pytest.raises(InterruptedError):
        window.read(30)
    assert lines == [10, 30]
    window.close()
    window.close()


def test_a_window_raises_its_own_failure_in_place_of_what_a_client_made_of_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)

    def send(body):
        try:
            body.read()
            os.truncate(path, 100)
            body.seek(0)
            body.read(100)
            body.read(100)
        except ModelError as error:
            raise ConnectionError("the connection was lost") from error

    with pytest.raises(ModelError, match="became shorter"), FileSlice(path) as body:
        send(body)


def test_a_slice_of_a_missing_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="cannot be read") as error:
        FileSlice(tmp_path / "none")
    assert error.value.where == str(tmp_path / "none")
    with pytest.raises(ModelError, match="directory"), FileSlice(tmp_path) as folder:
        folder.read(1)


def test_a_slice_that_could_not_be_opened_closes_without_an_error(tmp_path):
    body = FileSlice.__new__(FileSlice)
    with pytest.raises(ModelError):
        body.__init__(tmp_path / "missing")
    body.close()  # as the finalizer does, whose errors Python 3.13 reports


def test_an_empty_slice_is_a_truthy_body(path):
    with FileSlice(path, 200) as window:
        assert len(window) == 0
        assert window
        assert window.read() == b""
        assert list(Blocks(window)) == []


def test_blocks_are_all_of_a_window_each_time(tmp_path):
    path = tmp_path / "file"
    content = bytes(2 * BLOCK) + b"end"
    path.write_bytes(content)
    with FileSlice(path, 1) as window:
        body = Blocks(window)
        assert len(body) == len(content) - 1
        for _ in range(2):
            assert [len(block) for block in body] == [BLOCK, BLOCK, 2]
        assert body.seek(BLOCK) == BLOCK
        assert window.tell() == BLOCK
        assert md5_of(window) == hashlib.md5(content[1:]).hexdigest()
