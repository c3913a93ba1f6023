"""Reports of golden files and of replays."""

from __future__ import annotations

import msgspec

from cloudserve.cli.render.report import Report, Table
from cloudserve.golden.compare import Deviation
from cloudserve.golden.file import Example, Golden, encode
from cloudserve.golden.replay import Replayed
from cloudserve.plural import counted

COLUMNS = ("OUTPUT", "VALUES", "OUTSIDE", "ABSOLUTE", "RELATIVE", "ULP", "FIRST DIFFERENCE")
LONGEST = 100


def replay_report(file: str, subject: str, result: Replayed) -> Report:
    """Render a replay, one line per output."""
    title = f"{file} against {subject}: {_summary(result)}"
    rows = [_row(one) for one in result.deviations]
    tables = [Table(COLUMNS, rows, title)]
    if result.errors:
        tables.append(Table(("REFUSED",), [(error,) for error in result.errors]))
    document = {"file": file, "subject": subject} | result.figures()
    return Report(document, tuple(tables))


def golden_report(file: str, golden: Golden) -> Report:
    """Render a golden file: its header, then a line per example."""
    header = golden.header
    facts = [
        ("model", header.model or "-"),
        ("source", header.source or "-"),
        ("recorded", f"{header.recorded:%Y-%m-%d %H:%M} UTC" if header.recorded else "-"),
        ("tolerance", msgspec.json.encode(header.tolerance).decode()),
        ("examples", _examples(golden)),
        ("answered by", _versions(golden)),
        ("digest", f"sha256:{golden.digest}"),
    ]
    rows = [
        (
            str(number),
            _cut(f"{one.method} {encode(one.request).decode()}".lstrip()),
            _cut(_recorded(one)),
        )
        for number, one in enumerate(golden.examples, start=1)
    ]
    document = {
        "file": file,
        "digest": golden.digest,
        "header": msgspec.to_builtins(header),
        "examples": len(golden.examples),
        "labels": golden.labels,
        "refusals": sum(one.error is not None for one in golden.examples),
        "unchecked": sum(not one.is_compared for one in golden.examples),
        "is_cut": golden.is_cut,
    }
    return Report(
        document,
        (Table(("file", file), facts), Table(("REQUEST", "SENT", "ANSWER OR LABELS"), rows)),
    )


def _examples(golden: Golden) -> str:
    text = f"{len(golden.examples):,}, {counted(golden.labels, 'label')}"
    if unchecked := sum(not one.is_compared for one in golden.examples):
        text += f", {unchecked:,} without an answer"
    return f"{text}; a last line that was cut short is ignored" if golden.is_cut else text


def _versions(golden: Golden) -> str:
    """Return the versions and labels that servers recorded."""
    versions = sorted({one.version for one in golden.examples if one.version is not None})
    labels = sorted({one.label for one in golden.examples if one.label})
    texts = [f"version {version}" for version in versions] + [f"label {label}" for label in labels]
    return ", ".join(texts) or "-"


def _recorded(example: Example) -> str:
    if example.labels is not None:
        return encode(example.labels).decode()
    if example.error is not None:
        return f"HTTP {example.error.status} {example.error.code}".rstrip()
    if example.answer is None:
        return f"none: {', '.join(f'{rule} {field}' for field, rule in example.redacted.items())}"
    return encode(example.answer).decode()


def _summary(result: Replayed) -> str:
    requests = counted(result.requests, "request")
    text = f"{requests}, {result.differing:,} with another answer"
    if result.unchecked:
        text += f", {result.unchecked:,} without a recorded one"
    if result.labels:
        text += (
            f"; {result.right:,} of {counted(result.labels, 'label')} right ({result.accuracy:.1%})"
        )
    return text


def _row(one: Deviation) -> tuple[str, ...]:
    return (
        one.output or "-",
        f"{one.values:,}",
        f"{one.outside:,}",
        f"{one.absolute:.3g}",
        f"{one.relative:.3g}",
        f"{one.ulp:,.0f}",
        one.first or "-",
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
