"""Report of a plan: the steps of a release."""

from __future__ import annotations

from typing import Any

from cloudserve.cli.last_known import since_line
from cloudserve.cli.render.release.canary_rules import canary_document, canary_table
from cloudserve.cli.render.report import Report, Table
from cloudserve.plural import counted
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.capacity import Capacity, Change
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Action, Operation, Plan
from cloudserve.release.verdict import Verdict

COLUMNS = ("STEP", "", "WHAT IT DOES")
GATE_COLUMNS = ("GATE", "WHAT IT CHECKS FIRST", "VERDICT")
MACHINE_COLUMNS = ("MACHINES OF", "KIND", "NOW", "AFTER")
ADDING = {"create", "deploy", "load", "register", "upload"}
REMOVING = {"delete", "remove", "take", "undeploy", "unload"}
COLOURS = {"+": "green", "~": "yellow", "-": "red"}
LATER = "checked when the plan is carried out"


def plan_report(plan: Plan, canary: CanaryRules | None = None) -> Report:
    """Render a plan, one line per step; `canary` is what `promote --canary` would do."""
    signs = [sign(action) for action in plan.actions]
    rows = [
        (f"{number:>4}", sign, action.sentence)
        for number, (sign, action) in enumerate(zip(signs, plan.actions, strict=True), start=1)
    ]
    warnings = [since_line(plan.as_of)] if plan.as_of is not None else []
    warnings += [f"warning: {warning}" for warning in plan.warnings]
    warnings += [f"breaking: {difference}" for difference in plan.breaking]
    title = "\n".join([*warnings, f"{_subject(plan)}: {_summary(plan)}"])
    if plan.kept and plan.actions:
        title += f"; the files and the ledger stay in {plan.kept}"
    if plan.alias:
        title += f"\nthe alias `{plan.alias}` of MLflow's registry follows"
    tables = [Table(COLUMNS, rows, title, colours=[COLOURS[each] for each in signs])]
    if plan.capacity is not None:
        tables.append(_machines(plan.capacity))
    if plan.gates:
        tables.append(Table(GATE_COLUMNS, _gates(plan)))
    if canary is None:
        return Report(_document(plan), tuple(tables))
    tables.append(canary_table(canary))
    return Report(_document(plan) | {"canary": canary_document(canary)}, tuple(tables))


def sign(action: Action) -> str:
    """Return `+` for an action that adds a resource, `-` for one that removes one, else `~`."""
    verb = action.kind.partition("-")[0]
    return "+" if verb in ADDING else "-" if verb in REMOVING else "~"


def _machines(capacity: Capacity) -> Table:
    rows = [(each.revision, each.kind, str(each.now), _after(each)) for each in capacity.machines]
    is_more = capacity.peak > max(capacity.now, capacity.after)
    peak = f"{capacity.peak} in between, " if is_more else ""
    title = f"machines: {capacity.now} now, {peak}{capacity.after} after"
    return Table(MACHINE_COLUMNS, rows, title)


def _after(change: Change) -> str:
    return f"{change.after} to {change.most}" if change.most > change.after else str(change.after)


def _gates(plan: Plan) -> list[tuple[str, ...]]:
    known = {verdict.gate: verdict for verdict in plan.verdicts}
    return [
        (step.gate, step.sentence, _ruling(known[step.gate]) if step.gate in known else LATER)
        for step in plan.gates
    ]


def _ruling(verdict: Verdict) -> str:
    return str(verdict).partition(": ")[2]


def _subject(plan: Plan) -> str:
    if plan.operation is Operation.UNDEPLOY:
        return f"undeploy {plan.model}{_removed(plan)} from {plan.target}"
    share = f" with {plan.percent} % of the traffic" if plan.percent < ALL else ""
    return f"{plan.operation} {plan.model} {plan.revision.id} on {plan.target}{share}"


def _removed(plan: Plan) -> str:
    """Return the revisions that an undeploy removes; "" for the whole model."""
    return "" if plan.everything else f" {', '.join(plan.removes) or 'versions without traffic'}"


def _summary(plan: Plan) -> str:
    if not plan.actions:
        return "nothing to do"
    steps, live = counted(len(plan.actions), "step"), plan.previous or "nothing"
    return f"{steps}; {live} is live, nothing was changed"


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "operation": plan.operation,
        "model": plan.model,
        "target": plan.target,
        "revision": plan.revision.id if plan.revision.digest else None,
        "digest": plan.revision.digest,
        "percent": plan.percent,
        "removes": plan.removes,
        "everything": plan.everything,
        "kept": plan.kept,
        "alias": plan.alias or None,
        "live": plan.previous,
        "state": plan.state,
        "asOf": plan.as_of,
        "destination": str(plan.destination),
        "warnings": plan.warnings,
        "breaking": plan.breaking,
        "capacity": plan.capacity,
        "gates": [{"gate": s.gate, "sentence": s.sentence, "args": s.args} for s in plan.gates],
        "verdicts": plan.verdicts,
        "steps": [
            {
                "id": a.id,
                "kind": a.kind,
                "sign": sign(a),
                "sentence": a.sentence,
                "args": a.args,
                "undo": a.undo,
            }
            for a in plan.actions
        ],
    }
