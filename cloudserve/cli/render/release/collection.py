"""Report of a collection: what is removed, what stays and why, and unknown objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudserve.cli.render.release.plan import sign
from cloudserve.cli.render.report import Report, Table
from cloudserve.plural import counted
from cloudserve.release.collection import Collectable, Collection
from cloudserve.release.types import Plan

COLUMNS = ("REVISION", "WHERE", "BYTES", "RESULT")
STEPS = ("STEP", "", "WHAT IT DOES")
UNKNOWN = ("UNKNOWN OBJECT", "BYTES", "WHY IT IS NOT DELETED")


def collection_report(plans: Sequence[Plan], *, is_done: bool) -> Report:
    """Render the collections of several models on one target."""
    tables = [table for plan in plans for table in _tables(plan, is_done=is_done)]
    document = {
        "dry_run": not is_done,
        "frees": sum(_collection(plan).frees for plan in plans),
        "models": [_document(plan) for plan in plans],
    }
    return Report(document, tuple(tables))


def _tables(plan: Plan, *, is_done: bool) -> Iterator[Table]:
    collection = _collection(plan)
    rows = [_row(revision) for revision in collection.revisions]
    yield Table(COLUMNS, rows, f"{plan.model} on {plan.target}: {_summary(plan, is_done)}")
    if plan.actions and not is_done:
        steps = enumerate(plan.actions, start=1)
        yield Table(STEPS, [(f"{number:>4}", sign(a), a.sentence) for number, a in steps])
    if collection.unknown:
        yield Table(UNKNOWN, [(u.key, f"{u.size:,}", u.reason) for u in collection.unknown])


def _summary(plan: Plan, is_done: bool) -> str:
    if not plan.actions:
        return "nothing to remove"
    collection = _collection(plan)
    size, removed = counted(collection.frees, "byte"), counted(len(collection.removes), "revision")
    if is_done:
        return f"removed {removed}, freed {size} in the bucket"
    steps = counted(len(plan.actions), "step")
    return f"{steps}; would remove {removed} and free {size} in the bucket; nothing was changed"


def _row(revision: Collectable) -> tuple[str, ...]:
    return (revision.revision, _where(revision), f"{revision.size:,}", _result(revision))


def _where(revision: Collectable) -> str:
    places = {"platform": revision.is_deployed, "bucket": revision.objects > 0}
    return ", ".join(place for place, is_there in places.items() if is_there) or "-"


def _result(revision: Collectable) -> str:
    if revision.kept:
        return f"stays: {revision.kept}"
    if not revision.files_kept:
        return "removed"
    files = f"files stay: {revision.files_kept}"
    return f"leaves the platform; {files}" if revision.is_deployed else files


def _collection(plan: Plan) -> Collection:
    return plan.collection or Collection(0, ())


def _document(plan: Plan) -> dict[str, Any]:
    collection = _collection(plan)
    return {
        "model": plan.model,
        "target": plan.target,
        "keep": collection.keep,
        "frees": collection.frees,
        "changed": bool(plan.actions),
        "removes": collection.removes,
        "revisions": [
            {
                "revision": r.revision,
                "deployed": r.is_deployed,
                "objects": r.objects,
                "bytes": r.size,
                "frees": r.frees,
                "removed": r.is_removed,
                "kept": r.kept or None,
                "files_kept": r.files_kept or None,
            }
            for r in collection.revisions
        ],
        "unknown": [
            {"key": u.key, "bytes": u.size, "reason": u.reason} for u in collection.unknown
        ],
        "destination": str(plan.destination),
        "steps": [{"id": a.id, "kind": a.kind, "sentence": a.sentence} for a in plan.actions],
    }
