"""The rules of `cloudserve check` on a version that is exported.

The comparison runs in a process that has TensorFlow's Python, where functions of Python and files
of this machine answer too: no server has them.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from cloudserve.check.check import check_model
from cloudserve.check.finding import Finding, Severity
from cloudserve.check.signatures import FIXED_BATCH
from cloudserve.errors import ModelError


def check_draft(draft: Path, number: int, names: Container[str]) -> tuple[str, ...]:
    """Return the warnings about a version; `names` are the signatures that the export is about.

    Raises ModelError for the first error of the model, or of one of these signatures.
    """
    findings = check_model(draft, number, draft, ("serve",)).findings
    for one in findings:
        if one.severity is Severity.ERROR and (not one.signature or one.signature in names):
            place = f"signature {one.signature}: " if one.signature else ""
            raise ModelError(f"{place}{one.text}; {one.why}", where=str(draft), hint=one.hint)
    return tuple(_warning(one) for one in findings if one.severity is Severity.WARNING)


def _warning(finding: Finding) -> str:
    if finding.rule == FIXED_BATCH:
        return f"{finding.text}; --open-batch opens it"
    return finding.text
