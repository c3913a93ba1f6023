"""Incomplete variables are reported with the file that is at fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ModelError
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checkpoint.sstable import decompress, read_table
from cloudserve.savedmodel.checkpoint.variables import INDEX, check_variables, read_index

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")


def varint(number: int) -> bytes:
    head = b""
    while number > 0x7F:
        head += bytes([number & 0x7F | 0x80])
        number >>= 7
    return head + bytes([number])


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Write a block that shares the heads of keys, with one restart point."""
    data, last = b"", b""
    for key, value in entries:
        shared = next(
            (i for i, (a, b) in enumerate(zip(last, key, strict=False)) if a != b),
            min(len(last), len(key)),
        )
        data += varint(shared) + varint(len(key) - shared) + varint(len(value))
        data += key[shared:] + value
        last = key
    return data + bytes(4) + (1).to_bytes(4, "little")


def table(*blocks: list[tuple[bytes, bytes]]) -> bytes:
    data, handles = b"", []
    for entries in blocks:
        content = block(entries)
        handles.append((entries[-1][0], varint(len(data)) + varint(len(content))))
        data += content + bytes(5)
    index = block(handles)
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(index))
    return data + index + bytes(5) + footer.ljust(40, b"\0") + MAGIC


def header(shards: int) -> tuple[bytes, bytes]:
    return b"", proto.BundleHeaderProto(num_shards=shards).SerializeToString()


def entry(name: str, shard: int, offset: int, size: int) -> tuple[bytes, bytes]:
    message = proto.BundleEntryProto(shard_id=shard, offset=offset, size=size)
    return name.encode(), message.SerializeToString()


def write_model(path: Path, index: bytes, shards: dict[str, int]) -> Path:
    (path / "variables").mkdir(parents=True)
    (path / INDEX).write_bytes(index)
    for name, size in shards.items():
        (path / "variables" / name).write_bytes(bytes(size))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as raised:
        check_variables(path)
    assert raised.value.where == str(path)
    return raised.value.message


def test_a_model_without_an_index_has_no_variables(tmp_path):
    assert check_variables(tmp_path) is False


def test_a_model_whose_shards_have_the_bytes_named_has_variables(tmp_path):
    index = table([header(2), entry("a", 0, 0, 8), entry("b", 1, 4, 4)])
    shards = {"variables.data-00000-of-00002": 8, "variables.data-00001-of-00002": 8}
    assert check_variables(write_model(tmp_path, index, shards)) is True


def test_exactly_the_missing_shards_are_named(tmp_path):
    index = table([header(3), *(entry(f"v{i}", i, 0, 4) for i in range(3))])
    path = write_model(tmp_path, index, {"variables.data-00001-of-00003": 4})
    assert refusal(path) == (
        "variables/variables.data-00000-of-00003 is missing; "
        "variables/variables.data-00002-of-00003 is missing"
    )


def test_a_shard_that_holds_no_tensor_is_not_missed(tmp_path):
    index = table([header(2), entry("a", 0, 0, 4), entry("empty", 1, 0, 0)])
    assert check_variables(write_model(tmp_path, index, {"variables.data-00000-of-00002": 4}))


def test_a_truncated_shard_is_named_with_its_bytes(tmp_path):
    index = table([header(1), entry("a", 0, 0, 4), entry("b", 0, 4, 96)])
    path = write_model(tmp_path, index, {"variables.data-00000-of-00001": 99})
    assert refusal(path) == "variables/variables.data-00000-of-00001 is truncated: 99 of 100 bytes"


def test_a_shard_of_zero_bytes_is_named(tmp_path):
    index = table([header(1), entry("a", 0, 0, 4)])
    path = write_model(tmp_path, index, {"variables.data-00000-of-00001": 0})
    assert refusal(path) == "variables/variables.data-00000-of-00001 is truncated: 0 of 4 bytes"


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b"", "its end is missing"),
        (table([header(1)])[:-1], "its end is missing"),
        (table([entry("a", 0, 0, 4)]), "it states 0 shards and uses [0]"),
        (table([header(1), entry("a", 1, 0, 4)]), "it states 1 shards and uses [1]"),
        (table([header(1), (b"a", b"\xff")]), "an entry is not a protobuf"),
        ((b"\0\0" + varint(99) + varint(9)).ljust(40, b"\0") + MAGIC, "a block is missing"),
        (bytes(40) + MAGIC, "it states 0 shards and uses []"),
    ],
    ids=["empty", "cut", "no header", "bad shard", "bad entry", "no block", "no entries"],
)
def test_a_damaged_index_is_refused_with_the_reason(tmp_path, index, reason):
    path = write_model(tmp_path, index, {})
    assert refusal(path) == f"variables/variables.index is damaged or truncated: {reason}"


@given(st.lists(st.dictionaries(st.binary(), st.binary(), min_size=1), min_size=1))
def test_a_written_table_is_read_back(dictionaries):
    blocks = [sorted(entries.items()) for entries in dictionaries]
    assert list(read_table(table(*blocks))) == [pair for entries in blocks for pair in entries]


@given(st.binary(), st.binary(min_size=40, max_size=40))
def test_random_bytes_before_a_right_end_raise_nothing_but_value_error(data, footer):
    try:
        index = read_index(data + footer + MAGIC)
    except ValueError:
        return
    assert index.shards > 0


@given(st.data())
def test_a_real_index_with_a_changed_byte_raises_nothing_but_value_error(shared_models, data):
    whole = (shared_models / "tfs_half_plus_two_tf2" / "123" / INDEX).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + data.draw(st.binary(min_size=1, max_size=1)) + whole[at + 1 :]
    try:
        index = read_index(changed)
    except ValueError:
        return
    assert index.shards > 0


LITERAL = st.binary(min_size=1, max_size=70_000)


@given(st.lists(LITERAL, max_size=3))
def test_snappy_literals_of_any_length_are_read(parts):
    data = b""
    for part in parts:
        length = len(part) - 1
        if length < 60:
            data += bytes([length << 2]) + part
        else:
            extra = (length.bit_length() + 7) // 8
            data += bytes([(59 + extra) << 2]) + length.to_bytes(extra, "little") + part
    assert decompress(varint(sum(map(len, parts))) + data) == b"".join(parts)


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        (bytes([0b000_000_01, 3]), b"abcdefgh" + b"fghf"),
        (bytes([0b001_111_01, 0]), None),
        (bytes([(9 << 2) | 2, 4, 0]), b"abcdefgh" + b"efghefghef"),
        (bytes([(63 << 2) | 3, 1, 0, 0, 0]), b"abcdefgh" + b"h" * 64),
        (bytes([(0 << 2) | 2, 0, 0]), None),
        (bytes([(0 << 2) | 2, 9, 0]), None),
    ],
)
def test_snappy_copies_of_each_kind_are_read_and_those_from_nowhere_refused(copy, expected):
    data = bytes([7 << 2]) + b"abcdefgh" + copy
    if expected is None:
        with pytest.raises(ValueError, match="Snappy copy from"):
            decompress(varint(12) + data)
    else:
        assert decompress(varint(len(expected)) + data) == expected


def test_snappy_data_of_another_length_than_it_states_is_refused():
    with pytest.raises(ValueError, match="Snappy data of length 1 claims 2"):
        decompress(varint(2) + b"\0a")


@given(st.binary())
def test_random_bytes_as_snappy_raise_nothing_but_value_error(data):
    try:
        decompress(data)
    except ValueError:
        return
    assert data
