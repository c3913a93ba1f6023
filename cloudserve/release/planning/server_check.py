"""Findings on the server that a target names: its ops, its limits, the target's fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from cloudserve.check.finding import CheckReport, Finding, Severity, by_severity
from cloudserve.errors import CloudserveError, ModelError, UserError
from cloudserve.release.planning.fitness import check_prebuilt
from cloudserve.release.types import Artifact
from cloudserve.savedmodel import read_saved_model, read_tree

_VERSION = re.compile(r"[0-9]+\.[0-9]+(\.|$)")


def artifact_of(report: CheckReport, tags: tuple[str, ...]) -> Artifact:
    """Return a checked model as a platform's limits see it; raises ModelError.

    Variables without a value have a rule of their own, so they are left out here.
    """
    model, tree = read_saved_model(report.path, tags), read_tree(report.path)
    return Artifact(
        model.tensorflow_version,
        tree.size,
        len(tree.files),
        report.path,
        ops=model.loaded_ops,
        kernel_ops=model.kernel_ops,
        needs=model.needs,
    )


def check_for_version(report: CheckReport, version: str, artifact: Artifact) -> CheckReport:
    """Add what the TensorFlow Serving of a version, such as `2.15`, lacks.

    Raises UserError for a text that is not a version.
    """
    if not _VERSION.match(version):
        raise UserError(f"`{version}` is not a version", hint="give one such as 2.15")
    server = f"TensorFlow Serving {version}"
    return _add(report, server, lambda: check_prebuilt(artifact, server, version))


def check_for_target(
    report: CheckReport, target: str, check: Callable[[], tuple[str, ...]]
) -> CheckReport:
    """Add what the check of a target's provider returns as warnings, or raises."""
    return _add(report, f"the target {target}", check)


def _add(report: CheckReport, server: str, check: Callable[[], tuple[str, ...]]) -> CheckReport:
    rule, hint = "target", "change the model, or the target"
    try:
        warnings = check()
    except (ModelError, UserError) as error:
        results = [_finding(rule, Severity.ERROR, error, server, hint)]
    else:
        results = [
            Finding(rule, Severity.WARNING, text, f"{server} may not load the model", hint)
            for text in warnings
        ]
    findings = by_severity((*report.findings, *results))
    return replace(report, findings=findings, rules=(*report.rules, rule))


def _finding(
    rule: str, severity: Severity, error: CloudserveError, server: str, hint: str
) -> Finding:
    why = f"{server} refuses the model"
    return Finding(rule, severity, error.message, why, error.hint or hint)
