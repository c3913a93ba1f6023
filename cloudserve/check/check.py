"""The check of one SavedModel by all rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cloudserve.check import (
    edges,
    files,
    graph,
    nodes,
    placement,
    references,
    signature_tensors,
    signatures,
    stored,
    warmup,
)
from cloudserve.check.finding import UNREADABLE, CheckReport, Finding, Severity, by_severity
from cloudserve.check.scopes import undefined_ops
from cloudserve.check.subject import Rule, Subject, read_subject
from cloudserve.errors import ModelError
from cloudserve.hints import printable
from cloudserve.plural import counted

RULES: tuple[Rule, ...] = (
    *signatures.RULES,
    *signature_tensors.RULES,
    *graph.RULES,
    *references.RULES,
    *nodes.RULES,
    *edges.RULES,
    *placement.RULES,
    *stored.RULES,
    *files.RULES,
    *warmup.RULES,
)

_MOST_NAMED = 3
_NO_CHECKSUMS = (
    "the checksums of the variables are not checked: install google-crc32c, a part of "
    "cloudserve[server]"
)


def check_model(base: Path, number: int, folder: Path, tags: tuple[str, ...]) -> CheckReport:
    """Apply all rules to a SavedModel directory, a version below `base` or `base` itself.

    A file that is missing, truncated or of another kind is the only finding then.
    """
    try:
        subject = read_subject(base, folder, tags)
        findings = [finding for rule in RULES for finding in rule(subject)]
    except ModelError as error:
        return CheckReport(folder, number, (_unreadable(error),), (UNREADABLE,))
    unchecked = tuple(_unchecked(subject))
    rules = (UNREADABLE, *(rule.__name__.replace("_", "-") for rule in RULES))
    return CheckReport(folder, number, by_severity(findings), rules, unchecked)


def _unchecked(subject: Subject) -> Iterator[str]:
    if subject.extend is None and subject.model.has_variables:
        yield _NO_CHECKSUMS
    if ops := undefined_ops(subject.scopes):
        named = ", ".join(printable(op) for op in ops[:_MOST_NAMED])
        more = f" and {counted(len(ops) - _MOST_NAMED, 'other')}" if len(ops) > _MOST_NAMED else ""
        yield (
            f"the nodes of {counted(len(ops), 'op')} ({named}{more}) are not compared with the "
            "definitions of their ops, which the model does not list"
        )


def _unreadable(error: ModelError) -> Finding:
    return Finding(
        UNREADABLE,
        Severity.ERROR,
        error.message,
        "TensorFlow Serving does not load the model",
        error.hint or "export the model again",
    )
