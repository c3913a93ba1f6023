"""Reports of a model's deployment and of a release's outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudserve.cli.render.report import Report, Table
from cloudserve.release.canary.comparison import Measure
from cloudserve.release.canary.run import CanaryOutcome, Step
from cloudserve.release.state.entries import Release
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Deployed, Deployment, Operation, Outcome, Plan

COLUMNS = ("REVISION", "STATE", "TRAFFIC", "CREATED")


def deployment_report(deployment: Deployment, canary: Release | None = None) -> Report:
    """Render a deployment, one line per revision, and the canary that shares its traffic."""
    table, document = _table(deployment, _headline(deployment)), _document(deployment)
    if canary is None or canary.canary is None:
        return Report(document, (table,))
    note = (
        f"{canary.revision} is a canary of {canary.who} at {canary.percent} %: "
        f"{canary.canary.sentence}; if its process has ended, run `cloudserve promote --canary` "
        "again, or `cloudserve rollback`"
    )
    rows = {row[0]: number for number, row in enumerate(table.rows)}
    notes = {**table.notes, rows.get(canary.revision, 0): note}
    evidence = {"revision": canary.revision, "percent": canary.percent, "who": canary.who}
    document["canary"] = {**evidence, "evidence": canary.canary}
    return Report(document, (replace(table, notes=notes),))


def outcome_report(outcome: Outcome) -> Report:
    """Render the outcome of a release and the resulting deployment."""
    plan, deployment = outcome.plan, outcome.deployment
    document = {
        "operation": plan.operation,
        "revision": plan.revision.id if plan.revision.digest else None,
        "percent": plan.percent,
        "removes": plan.removes,
        "everything": plan.everything,
        "kept": plan.kept,
        "changed": outcome.changed,
        "alias": outcome.alias,
        "steps": [action.sentence for action in plan.actions],
        "gates": outcome.verdicts,
        "deployment": _document(deployment),
    }
    return Report(document, (_table(deployment, _sentence(outcome) + _alias(outcome)),))


def _alias(outcome: Outcome) -> str:
    """Return a line about the alias that follows; its error is a warning of the release."""
    if outcome.alias is None:
        return ""
    named = outcome.alias.version or "was not set, see the warning"
    return f"\nMLflow's alias `{outcome.alias.alias}`: {named}"


def _sentence(outcome: Outcome) -> str:
    plan = outcome.plan
    if plan.operation is Operation.UNDEPLOY:
        return _undeployed(outcome)
    subject = f"{plan.model} {plan.revision.id} on {plan.target}"
    if not outcome.changed:
        is_deploy = plan.operation is Operation.DEPLOY
        state = "is already deployed" if is_deploy else f"already has {_share(plan)}"
        return f"{subject}: {state}, nothing to do"
    if plan.operation is Operation.DEPLOY:
        live = outcome.deployment.live
        return f"{subject}: deployed, " + (
            "live" if live == plan.revision.id else f"{live or 'nothing'} is live"
        )
    if plan.percent < ALL:
        return f"{subject}: has {_share(plan)}, {outcome.deployment.live} has most of it"
    if plan.previous == plan.revision.id:
        return f"{subject}: has all traffic again"
    return f"{subject}: live, was {plan.previous or 'nothing'}"


def _undeployed(outcome: Outcome) -> str:
    plan = outcome.plan
    what = "" if plan.everything else f" {', '.join(plan.removes) or 'versions without traffic'}"
    if not outcome.changed:
        reason = "; ".join(plan.warnings) or "not deployed, nothing to do"
        return f"{plan.model}{what} on {plan.target}: {reason}"
    kept = f"the files and the ledger stay in {plan.kept}"
    return f"{plan.model}{what} on {plan.target}: undeployed; {kept}"


def _share(plan: Plan) -> str:
    return "all traffic" if plan.percent == ALL else f"{plan.percent} % of the traffic"


def _headline(deployment: Deployment) -> str:
    name = f"{deployment.model} on {deployment.target}"
    if not deployment.revisions:
        return f"{name}: nothing deployed"
    reason = f" ({deployment.reason})" if deployment.reason else ""
    endpoint = f", endpoint {deployment.endpoint}" if deployment.endpoint else ""
    return f"{name}: {deployment.state or 'no endpoint'}{reason}{endpoint}"


def _table(deployment: Deployment, title: str) -> Table:
    ordered = sorted(deployment.revisions, key=lambda d: (d.revision.number, str(d.created)))
    rows = [_row(d, deployment.traffic.get(d.revision.id, 0.0)) for d in ordered]
    notes = {number: d.reason for number, d in enumerate(ordered) if d.reason}
    return Table(COLUMNS, rows, title, notes)


def _row(deployed: Deployed, share: float) -> tuple[str, ...]:
    created = f"{deployed.created:%Y-%m-%d %H:%M:%S}" if deployed.created else "-"
    return (deployed.revision.id, deployed.state, f"{share:.0%}", created)


def _document(deployment: Deployment) -> dict[str, Any]:
    return {
        "model": deployment.model,
        "target": deployment.target,
        "state": deployment.state,
        "reason": deployment.reason,
        "endpoint": deployment.endpoint,
        "live": deployment.live,
        "revisions": [
            {
                "revision": d.revision.id,
                "number": d.revision.number,
                "digest": d.revision.digest,
                "state": d.state,
                "reason": d.reason,
                "traffic": deployment.traffic.get(d.revision.id, 0.0),
                "created": d.created,
                "source": d.source,
                "settings": d.settings,
            }
            for d in deployment.revisions
        ],
    }


CANARY_COLUMNS = ("STEP", "REQUESTS OF", "EVENT", "CANARY", "LIVE")


def canary_report(canary: CanaryOutcome) -> Report:
    """Render a promotion by canary: the evidence of each step, and the resulting deployment."""
    report = outcome_report(canary.outcome)
    if not canary.live:
        return report
    document = {
        **report.document,
        "canary": {"live": canary.live, "steps": [_step_document(step) for step in canary.steps]},
    }
    rows = [_measure_row(step, measure) for step in canary.steps for measure in step.measures]
    title = f"compared with {canary.live}:"
    return Report(document, (*report.tables, Table(CANARY_COLUMNS, rows, title)))


def _measure_row(step: Step, measure: Measure) -> tuple[str, ...]:
    shares = (f"{c.share:.1%} of {c.requests:,}" for c in (measure.canary, measure.live))
    return (f"{step.percent} %", measure.source, measure.name, *shares)


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "percent": step.percent,
        "requests": step.requests,
        "measures": [measure.recorded for measure in step.measures],
    }
