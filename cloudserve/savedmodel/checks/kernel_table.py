"""The ops that TensorFlow registers without a kernel, by version: `tools/op_table.py` writes them.

A version may keep an op's definition, so that a graph with it is imported, and have no kernel that
runs it: "No OpKernel was registered to support Op". The tables are from the registries of the CPU
and the GPU wheels. A kernel may still not support a dtype: the tables do not know dtypes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cloudserve.savedmodel.checks.op_packages import foreign_ops
from cloudserve.savedmodel.checks.op_table import OpTable, parse_table, read_table, spans_text

WITHOUT_KERNEL = Path(__file__).with_name("ops_without_kernel.txt")
WITHOUT_KERNEL_TITLE = "Ops that TensorFlow registers without a kernel for the CPU, by version."
ON_GPU = Path(__file__).with_name("ops_on_gpu.txt")
ON_GPU_TITLE = "Ops without a kernel for the CPU that the GPU wheels have one for, by version."


@dataclass(frozen=True, slots=True)
class KernelTable:
    """The ops without kernels of each version."""

    without: OpTable
    """The ops that have no kernel for the CPU."""
    on_gpu: OpTable
    """Those of them that have one for GPUs."""

    def lacking(self, ops: Iterable[str], version: str, *, gpu: bool = False) -> tuple[str, ...]:
        """Return the ops that a version registers and cannot run, sorted.

        `gpu` is whether the server has a GPU. () for an unknown version.
        """
        lacking = self.without.listed(ops, version)
        return self.on_gpu.missing(lacking, version) if gpu else lacking

    def versions_with(self, op: str) -> str:
        """Return the versions with a CPU kernel of an op: `1.15 to 2.8`; "" if there are none."""
        ops = read_table().versions
        having = [v for v in ops if op in ops[v] and not self.without.listed([op], v)]
        return spans_text(having, tuple(ops))


@cache
def read_kernel_table() -> KernelTable:
    """Read the tables of this package."""
    return KernelTable(
        parse_table(WITHOUT_KERNEL.read_text("utf-8")), parse_table(ON_GPU.read_text("utf-8"))
    )


def versions_that_run(ops: Iterable[str], kernel_ops: Iterable[str]) -> tuple[str, ...]:
    """Return the versions of the tables that have all `ops`, and CPU kernels for `kernel_ops`.

    Ops that are not TensorFlow's own are ignored.
    """
    table, kernels = read_table(), read_kernel_table()
    named, run = tuple(ops), tuple(kernel_ops)
    own = set(named).difference(foreign_ops(named))
    return tuple(
        version
        for version in table.versions
        if not table.missing(own, version) and not kernels.lacking(run, version)
    )
