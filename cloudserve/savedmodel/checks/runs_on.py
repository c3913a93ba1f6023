"""The TensorFlow versions that have all ops of a model, and run them without a GPU."""

from __future__ import annotations

from collections.abc import Iterable

from cloudserve.savedmodel.checks.kernel_table import read_kernel_table
from cloudserve.savedmodel.checks.op_packages import foreign_ops
from cloudserve.savedmodel.checks.op_table import read_table


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
