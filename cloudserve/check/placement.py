"""Rules on where a graph runs: devices, and versions of TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.references import run_nodes
from cloudserve.check.subject import Rule, Subject
from cloudserve.savedmodel.checks.graph_needs import GRAPH_VERSIONS
from cloudserve.savedmodel.checks.kernel_table import read_kernel_table, versions_that_run
from cloudserve.savedmodel.checks.op_packages import foreign_ops
from cloudserve.savedmodel.checks.op_table import read_table, spans_text
from cloudserve.savedmodel.proto import Message

_PART = (
    r"/job:[A-Za-z]\w*|/(replica|task):[0-9]+|/(job|replica|task|device):\*"
    r"|/device:[A-Za-z]\w*(:([0-9]+|\*))?|/([cg]pu|[CG]PU):([0-9]+|\*)"
)
_DEVICE = re.compile(f"({_PART})*")
"""The grammar of `DeviceNameUtils::ParseFullName` (tensorflow/core/util/device_name_utils.cc)."""
_OTHER = re.compile(r"/job:(?!localhost(/|$)|\*)|/(replica|task):0*[1-9]")
_CALLED = "every request that calls it fails"
_LOADED = "the load fails"


def remote_device(subject: Subject) -> Iterator[Finding]:
    """Find nodes that were placed on the machines of a cluster.

    A session has the devices of `/job:localhost/replica:0/task:0`; soft placement, which TensorFlow
    Serving uses, chooses among those of the same task alone (`GetPossibleDevices` in
    tensorflow/core/common_runtime/colocation_graph.cc).
    """
    nodes = subject.graph.nodes
    placed = {one.name: one.device for one in nodes.values() if _is_elsewhere(one)}
    called = {
        one.name: one.device
        for one in run_nodes(subject)
        if _is_elsewhere(one) and one.name not in nodes
    }
    for name, device in list((placed or called).items())[:1]:
        yield Finding(
            "remote-device",
            Severity.ERROR,
            f"the node {name} runs on {device}, a device that no server has",
            f"TensorFlow Serving is one machine: {_LOADED if placed else _CALLED} with `Cannot "
            "assign a device`",
            "export the model without tf.device, or copy it with `cloudserve repair "
            "--clear-devices`",
        )


def _is_elsewhere(node: Message) -> bool:
    device = node.device
    return bool(device) and bool(not _DEVICE.fullmatch(device) or _OTHER.search(device))


def no_version(subject: Subject) -> Iterator[Finding]:
    """Find graphs that the newest TensorFlow does not run on a CPU, or none at all."""
    ops = set(subject.model.loaded_ops)
    table, kernels = read_table(), read_kernel_table()
    able = versions_that_run(ops, subject.model.kernel_ops)
    newest = list(table.versions)[-1]
    if newest in able:
        return
    lacking = kernels.lacking(subject.model.kernel_ops, newest)
    missing = sorted({*table.missing(ops - set(foreign_ops(ops)), newest), *lacking})
    on_gpu = set(missing) == set(kernels.on_gpu.listed(missing, newest))
    spans = spans_text(able, tuple(table.versions))
    yield Finding(
        "no-version",
        Severity.WARNING if able or on_gpu else Severity.ERROR,
        f"TensorFlow {newest} does not run the op {missing[0]} on a CPU",
        f"it needs a server of TensorFlow {spans}"
        if able
        else "it needs a server with a GPU"
        if on_gpu
        else "no TensorFlow Serving runs the model: what needs the op fails with `No OpKernel was "
        "registered` or `Op type not registered`",
        "name an image of that version, or export the model again without the op"
        if able
        else "name a machine with a GPU"
        if on_gpu
        else f"export the model without {missing[0]}: code of Python does not leave its process",
    )


def graph_version(subject: Subject) -> Iterator[Finding]:
    """Find graphs that refuse the newest TensorFlow, or all."""
    needs = subject.model.needs
    newest = list(GRAPH_VERSIONS)[-1]
    if not (refusal := needs.refusal(newest)):
        return
    able = [version for version in GRAPH_VERSIONS if not needs.refusal(version)]
    yield Finding(
        "graph-version",
        Severity.WARNING if able else Severity.ERROR,
        f"TensorFlow {newest} refuses the graph: `{refusal}`",
        f"it needs a server of TensorFlow {spans_text(able, tuple(GRAPH_VERSIONS))}"
        if able
        else "no TensorFlow Serving that is known loads the model",
        "name an image of that version"
        if able
        else "export the model again, without editing `versions` of its GraphDef",
    )


RULES: tuple[Rule, ...] = (remote_device, no_version, graph_version)
