"""The gate *load*: the target's server can load the model and answer with it.

The adapter compares the model with the server that the target names: the ops of its TensorFlow, and
the variables that TensorFlow Serving restores (`cloudserve.release.planning.fitness`). The rules of
`cloudserve check` find what no server loads, whatever its image.
"""

from __future__ import annotations

from cloudserve.check.check import check_model
from cloudserve.check.finding import Finding, Severity
from cloudserve.errors import ModelError
from cloudserve.plural import counted
from cloudserve.release.provider import Provider
from cloudserve.release.types import Artifact
from cloudserve.release.verdict import Ruling, Verdict
from cloudserve.savedmodel.checks.op_packages import foreign_ops

LOAD = "load"

_FATAL = frozenset(
    {"checksum", "cyclic-graph", "duplicate-node", "graph-version", "malformed-node"}
    | {"mismatched-input", "mismatched-value", "missing-node", "missing-value", "remote-device"}
    | {"missing-asset", "warmup-records"}
)
"""Rules on what no server loads, unless a finding is about one signature: others may answer."""
_OF_ADAPTERS = frozenset({"foreign-op", "no-signature", "unrestored-variables"})
"""Rules whose facts an adapter compares with the target's image."""


def check_load(provider: Provider, artifact: Artifact) -> Verdict:
    """Return whether the target's server can load a model.

    Raises UserError for what is not the model's fault: limits, the bucket's place, the target's
    fields.
    """
    figures = {
        "ops": len(artifact.ops),
        "kernel_ops": len(artifact.kernel_ops),
        "foreign_ops": list(foreign_ops(artifact.ops)),
        "unrestored": list(artifact.unrestored),
        "files": artifact.files,
        "bytes": artifact.size,
    }
    try:
        warnings = provider.check(artifact)
    except ModelError as error:
        place, hint = error.where or "", error.hint or ""
        return Verdict(LOAD, Ruling.REFUSED, error.message, figures, hint=hint, where=place)
    errors = _errors(artifact)
    for one in errors:
        if one.rule in _FATAL and not one.signature:
            where = str(artifact.path)
            return Verdict(
                LOAD, Ruling.REFUSED, f"{one.text}: {one.why}", figures, hint=one.hint, where=where
            )
    warnings += tuple(map(_text, errors))
    sentence = (
        f"no objection to the {counted(len(artifact.ops), 'op')} of the model or its variables"
    )
    if warnings:
        sentence = f"with {counted(len(warnings), 'warning')}"
    return Verdict(LOAD, Ruling.PASSED, sentence, figures, warnings)


def _errors(artifact: Artifact) -> tuple[Finding, ...]:
    """Return what `cloudserve check` finds in the model's files, without the adapter's part."""
    if artifact.path is None:
        return ()
    findings = check_model(artifact.path, 0, artifact.path, artifact.tags).findings
    return tuple(
        one for one in findings if one.severity is Severity.ERROR and one.rule not in _OF_ADAPTERS
    )


def _text(finding: Finding) -> str:
    place = f"signature {finding.signature}: " if finding.signature else ""
    return f"{place}{finding.text}: {finding.why}"
