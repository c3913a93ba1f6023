"""TFRecord files: TensorFlow reads what is written, and errors have its texts."""

import os

import pytest
from cloudserve.local_server.codecs.tfrecord import RecordError, frame, read_records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RECORDS = st.lists(st.binary(max_size=40), max_size=4)
FAST = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tf():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return pytest.importorskip("tensorflow")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records"


def ours(path):
    """Return the records of a file, and the reader's complaint."""
    records = []
    with path.open("rb") as file:
        try:
            for record in read_records(file):
                records.append(record)  # noqa: PERF402  those before the error count
        except RecordError as error:
            return records, str(error)
    return records, ""


def tensorflows(tf, path):
    records = []
    try:
        for record in tf.compat.v1.io.tf_record_iterator(str(path)):
            records.append(record)  # noqa: PERF402  those before the error count
    except tf.errors.DataLossError as error:
        return records, error.message
    return records, ""


@FAST
@given(RECORDS)
def test_tensorflow_reads_what_is_framed(tf, path, records):
    path.write_bytes(b"".join(map(frame, records)))
    assert tensorflows(tf, path) == (records, "")


@FAST
@given(RECORDS)
def test_records_are_read_and_framed_as_tensorflow_does(tf, path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    assert ours(path) == (records, "")
    assert path.read_bytes() == b"".join(map(frame, records))


@FAST
@given(RECORDS, st.data())
def test_a_damaged_file_is_read_as_far_as_tensorflow_reads_it(tf, path, records, data):
    content = bytearray(b"".join(map(frame, records)))
    if content and data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert ours(path) == tensorflows(tf, path)


@FAST
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read_as_by_tensorflow(tf, path, content):
    path.write_bytes(content)
    assert ours(path) == tensorflows(tf, path)


def test_a_length_past_the_end_takes_no_memory(path):
    huge = (2**62).to_bytes(8, "little")
    checksum = frame(huge)[-4:]
    path.write_bytes(huge + checksum + b"rest")
    records, error = ours(path)
    assert records == []
    assert error.startswith("truncated record at 0")


def test_records_can_be_read_from_the_middle_of_a_file(path):
    path.write_bytes(frame(b"one") + frame(b"two"))
    with path.open("rb") as file:
        file.seek(len(frame(b"one")))
        assert list(read_records(file)) == [b"two"]


def test_framing_costs_sixteen_bytes():
    assert len(frame(b"")) == 16
    assert frame(b"abc")[12:15] == b"abc"
