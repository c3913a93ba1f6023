"""The gates of one model on one target: which a plan has, and what they decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from cloudserve.errors import GateRefusedError, UserError
from cloudserve.hints import did_you_mean
from cloudserve.project.gate_settings import NAMES, GateSettings
from cloudserve.release.gates.contract import CONTRACT, ContractGate
from cloudserve.release.gates.load import LOAD, check_load
from cloudserve.release.planning.planner import had_all_traffic
from cloudserve.release.provider import Provider
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.transfer.local import LocalModel
from cloudserve.release.types import GateStep, Operation, Plan, Reading
from cloudserve.release.verdict import Ruling, Verdict

GATED = (Operation.DEPLOY, Operation.PROMOTE)
"""A rollback goes back to what clients used before, and an undeploy serves nothing new."""


class PlanGate(Protocol):
    """A gate that may need the platform, the bucket or the local server."""

    def step(self, plan: Plan, reading: Reading) -> GateStep | None:
        """Return the step of a plan; None if the gate does not apply to it."""
        ...

    def check(self, plan: Plan, step: GateStep) -> Verdict:
        """Return the verdict on the plan's revision."""
        ...


@dataclass(frozen=True, slots=True)
class Gates:
    """Adds gates to plans, and checks them."""

    provider: Provider
    models: UploadedModels
    local: LocalModel
    settings: GateSettings
    others: Mapping[str, PlanGate]
    """The other gates by their names, in the order in which they are checked."""

    def add(self, plan: Plan, reading: Reading) -> Plan:
        """Return a plan with its gates, and the verdicts that only need the models' files."""
        if not plan.actions:
            return plan
        contract = ContractGate(self.models).check(plan, plan.source)
        if contract is not None:
            plan = _with_contract(plan, contract)
        if not self._is_gated(plan):
            return plan
        plan = replace(plan, gates=tuple(self._steps(plan, reading)))
        return replace(plan, verdicts=(*plan.verdicts, *self._refusals(plan)))

    def verdict(self, plan: Plan, step: GateStep) -> Verdict:
        """Check one gate of a plan.

        Raises UserError for what is not the model's fault, RemoteError of the platform.
        """
        if step.gate == CONTRACT:
            return next(verdict for verdict in plan.verdicts if verdict.gate == CONTRACT)
        if step.gate == LOAD:
            return self.load(plan)
        return self.others[step.gate].check(plan, step)

    def load(self, plan: Plan) -> Verdict:
        """Compare the plan's model with the target's server; raises UserError likewise."""
        if plan.source is not None:
            return check_load(self.provider, self.local.artifact(plan.source))
        return check_load(self.provider, self.models.artifact(plan.revision))

    def _refusals(self, plan: Plan) -> Iterator[Verdict]:
        """Yield the verdicts of gates that cannot be checked, because nothing can be asked."""
        for step in plan.gates:
            if step.args.get("unasked"):
                yield self.others[step.gate].check(plan, step)

    def _is_gated(self, plan: Plan) -> bool:
        """Return whether the plan may give all traffic to a revision that never had it.

        A share of the traffic does not count: its canary may have failed.
        """
        if plan.operation is Operation.ROLLBACK:
            with closing(Ledger(self.provider.blobs, self.models.layout).newest()) as newest:
                return not had_all_traffic(plan.revision.id, newest)
        return plan.operation in GATED

    def _steps(self, plan: Plan, reading: Reading) -> Iterator[GateStep]:
        if self.settings.contract and any(v.gate == CONTRACT for v in plan.verdicts):
            sentence = f"compare the signatures with those of {plan.previous}"
            yield GateStep(CONTRACT, sentence, {"live": plan.previous})
        if self.settings.load and plan.operation is Operation.DEPLOY:
            yield GateStep(LOAD, "compare ops and variables with the target's server")
        for gate in self.others.values():
            step = gate.step(plan, reading)
            if step is not None:
                yield step


def _with_contract(plan: Plan, verdict: Verdict) -> Plan:
    plan = replace(plan, verdicts=(*plan.verdicts, verdict))
    if verdict.ruling is Ruling.UNCHECKED:
        return replace(plan, warnings=(*plan.warnings, verdict.sentence))
    return replace(plan, breaking=verdict.findings)


@dataclass(frozen=True, slots=True)
class Judge:
    """Checks the gates of one run of a verb, and applies its overrides."""

    gates: Gates
    overrides: Mapping[str, str]
    """The reasons of the overridden gates, by gate."""
    known: dict[str, Verdict]
    """The verdicts of this run that were found before the lock was taken."""

    def verdict(self, plan: Plan, step: GateStep) -> Verdict:
        """Return the verdict of a gate, overridden if the caller gave a reason."""
        verdict = self.known.get(step.gate) or self.gates.verdict(plan, step)
        reason = self.overrides.get(step.gate)
        return verdict.overridden(reason) if reason else verdict

    def check_first(self, plan: Plan) -> tuple[str, ...]:
        """Check what must be known before anything is written; return the platform's warnings.

        If the plan makes the bucket, these are all gates: a release that is refused makes no
        bucket, and so has no ledger. Raises GateRefusedError, and UserError for what the platform
        would refuse whichever model it is.
        """
        warnings = self._check_load(plan) if plan.operation is Operation.DEPLOY else ()
        verdicts: list[Verdict] = []
        for step in plan.gates if plan.makes_bucket else ():
            if step.gate not in self.known:
                self.known[step.gate] = self.gates.verdict(plan, step)
            verdicts.append(self.verdict(plan, step))
            stop_if_refused(plan, tuple(verdicts))
        return warnings

    def _check_load(self, plan: Plan) -> tuple[str, ...]:
        """Check the model against the platform; a gate that is off warns instead of refusing."""
        verdict = self.known[LOAD] = self.gates.load(plan)
        is_gate = any(step.gate == LOAD for step in plan.gates)
        refusal = (verdict.sentence,) if verdict.is_refused and not is_gate else ()
        return (*refusal, *verdict.findings)


def stop_if_refused(plan: Plan, verdicts: tuple[Verdict, ...]) -> None:
    """Raise GateRefusedError if the last verdict is a refusal."""
    last = verdicts[-1]
    if last.is_refused:
        override = f"`--override {last.gate} --reason TEXT` releases it all the same, on record"
        if plan.operation is Operation.ROLLBACK:
            never = f"{plan.revision.id} never had all the traffic"
            override = f"{never}: `cloudserve promote` can override it"
        raise GateRefusedError(
            plan,
            verdicts,
            where=last.where or f"{plan.model} on {plan.target}",
            hint="; ".join(part for part in (last.hint, override) if part),
        )


def check_overrides(overrides: Mapping[str, str]) -> None:
    """Raise UserError for an override of an unknown gate, or one without a reason."""
    for gate, reason in overrides.items():
        if gate not in NAMES:
            raise UserError(
                f"there is no gate `{gate}` to override", hint=did_you_mean(gate, NAMES)
            )
        if not reason.strip():
            raise UserError(
                f"the override of the gate `{gate}` has no reason",
                hint="say why in --reason TEXT: it is recorded in the history",
            )
