"""The ops of TensorFlow's versions, and the packages that other ops belong to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.savedmodel.checks.op_packages import foreign_ops, is_built_in, package_of
from cloudserve.savedmodel.checks.op_table import OpTable, parse_table, read_table, write_table

VERSIONS = ["1.15", *(f"2.{minor}" for minor in range(22))]


def test_the_table_has_every_version_from_1_15_to_2_21():
    assert list(read_table().versions) == VERSIONS


@pytest.mark.parametrize(
    ("op", "first"),
    [
        ("MatMul", "1.15"),
        ("_Arg", "1.15"),
        ("_FusedConv2D", "1.15"),
        ("DisableCopyOnRead", "2.10"),
        ("XlaCallModule", "2.10"),
        ("DecodeWebP", "2.20"),
        ("NoSuchOp", ""),
    ],
)
def test_the_first_version_of_an_op_is_known(op, first):
    assert read_table().first(op) == first


def test_patch_releases_are_those_of_their_minor_version_and_others_are_unknown():
    table = read_table()
    assert table.missing(["MatMul", "XlaCallModule"], "2.9.3") == ("XlaCallModule",)
    assert table.missing(["XlaCallModule"], "2.10.0") == ()
    assert table.missing(["XlaCallModule"], "99.0.0") == ()
    assert table.missing(["XlaCallModule"], "") == ()


def test_an_op_that_was_removed_is_missing_in_later_versions():
    assert read_table().missing(["TfLiteSubgraphExecute"], "2.19") == ("TfLiteSubgraphExecute",)
    assert read_table().missing(["TfLiteSubgraphExecute"], "2.18") == ()


OPS = st.sets(st.text("abcAB_>", min_size=1, max_size=4))


@given(st.lists(OPS, min_size=1, max_size=6))
def test_a_table_that_was_written_reads_the_same(ops):
    table = OpTable({f"2.{n}": frozenset(one) for n, one in enumerate(ops, start=8)})
    again = parse_table(write_table(table))
    assert again == table
    assert list(again.versions) == list(table.versions)  # 2.9 before 2.10


def test_a_written_op_table_equals_its_file():
    from cloudserve.savedmodel.checks.op_table import TABLE

    assert write_table(read_table()) == TABLE.read_text("utf-8")


def test_ops_of_other_packages_are_distinguished_from_tensorflows():
    ops = ["MatMul", "TRTEngineOp", "CaseFoldUTF8", "SimpleMLInferenceOpWithHandle", "Own"]
    assert foreign_ops(ops) == ("CaseFoldUTF8", "Own", "SimpleMLInferenceOpWithHandle")


@pytest.mark.parametrize(
    ("op", "project"),
    [
        ("TFText>ByteSplitWithOffsets", "tensorflow-text"),
        ("WordpieceTokenizeWithOffsets", "tensorflow-text"),
        ("SimpleMLCreateModelResource", "tensorflow-decision-forests"),
        ("TFRA>CuckooHashTableOfTensors", "tensorflow-recommenders-addons"),
        ("Addons>ImageProjectiveTransformV3", "tensorflow-addons"),
        ("IO>KafkaReadableInit", "tensorflow-io"),
    ],
)
def test_an_op_says_which_package_registers_it(op, project):
    assert package_of(op).project == project
    assert package_of(f"Own{op}") is None


@pytest.mark.parametrize(
    ("op", "version", "expected"),
    [
        ("CaseFoldUTF8", "2.15", True),
        ("SimpleMLCreateModelResource", "2.10", False),
        ("SimpleMLCreateModelResource", "2.11", True),
        ("Addons>Resampler", "2.15", False),
        ("Own", "2.15", False),
        ("Own", "1.15", True),  # it may be of tf.contrib
        ("Own", "", True),
    ],
)
def test_tensorflow_serving_has_the_ops_of_two_packages_built_in(op, version, expected):
    assert is_built_in(op, version) is expected
