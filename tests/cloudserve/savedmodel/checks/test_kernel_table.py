"""The ops that TensorFlow registers without a kernel, by version."""

from __future__ import annotations

import pytest

from cloudserve.savedmodel.checks.kernel_table import (
    ON_GPU,
    ON_GPU_TITLE,
    WITHOUT_KERNEL,
    WITHOUT_KERNEL_TITLE,
    read_kernel_table,
    versions_that_run,
)
from cloudserve.savedmodel.checks.op_table import read_table, write_table

GONE = "BoostedTreesBucketize"


def test_the_kernels_of_every_version_are_known_for_the_cpu_and_for_gpus():
    table = read_kernel_table()
    versions = list(read_table().versions)
    assert list(table.without.versions) == list(table.on_gpu.versions) == versions


@pytest.mark.parametrize("version", list(read_table().versions))
def test_ops_without_a_kernel_are_ops_of_their_version(version):
    table = read_kernel_table()
    without = table.without.versions[version]
    assert table.on_gpu.versions[version] <= without < read_table().versions[version]


def test_an_op_can_lose_its_kernel_and_stay_registered():
    table = read_kernel_table()
    assert table.lacking([GONE, "MatMul"], "2.8.4") == ()
    assert table.lacking([GONE, "MatMul"], "2.9.0") == (GONE,)
    assert read_table().missing([GONE], "2.21") == ()
    assert table.versions_with(GONE) == "1.15 to 2.8"


def test_some_ops_have_a_kernel_for_gpus_alone():
    table = read_kernel_table()
    assert table.lacking(["CudnnRNN", GONE], "2.15") == (GONE, "CudnnRNN")
    assert table.lacking(["CudnnRNN", GONE], "2.15", gpu=True) == (GONE,)
    assert table.versions_with("CudnnRNN") == ""


@pytest.mark.parametrize("op", ["PyFunc", "EagerPyFunc"])
@pytest.mark.parametrize("version", ["2.0", "2.11", "2.21"])
def test_kernels_that_python_registers_do_not_count(op, version):
    assert read_kernel_table().lacking([op], version) == (op,)


@pytest.mark.parametrize("version", ["", "99.0", "1.14"])
def test_an_unknown_version_has_no_findings(version):
    assert read_kernel_table().lacking([GONE], version) == ()
    assert read_kernel_table().lacking([GONE], version, gpu=True) == ()


def test_written_kernel_tables_equal_their_files():
    table = read_kernel_table()
    without = write_table(table.without, WITHOUT_KERNEL_TITLE)
    assert without == WITHOUT_KERNEL.read_text("utf-8")
    assert write_table(table.on_gpu, ON_GPU_TITLE) == ON_GPU.read_text("utf-8")


def test_the_versions_that_run_a_model_have_its_ops_and_kernels():
    ops = ["MatMul", "XlaCallModule", "WordpieceTokenizeWithOffsets", GONE]
    assert versions_that_run(ops[:3], [])[0] == "2.10"
    assert versions_that_run(["MatMul", GONE], [GONE])[-1] == "2.8"
    assert versions_that_run(ops, [GONE]) == ()
