"""The gates of one model on one target: which a plan has, and what they decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cloudserve.errors import GateRefusedError, UserError
from cloudserve.gate_settings import NAMES, GateSettings
from cloudserve.hints import did_you_mean
from cloudserve.release.gates.contract import CONTRACT, ContractGate
from cloudserve.release.gates.golden import GOLDEN, GoldenGate
from cloudserve.release.gates.load import LOAD, check_load
from cloudserve.release.local import LocalModel
from cloudserve.release.provider import Provider
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.types import GateStep, Operation, Plan, Reading
from cloudserve.release.verdict import Ruling, Verdict

GATED = (Operation.DEPLOY, Operation.PROMOTE)
"""A rollback goes back to what clients used before, and an undeploy serves nothing new."""


@dataclass(frozen=True, slots=True)
class Gates:
    """Adds gates to plans, and checks them."""

    provider: Provider
    models: UploadedModels
    local: LocalModel
    settings: GateSettings
    golden: GoldenGate | None = None

    def add(self, plan: Plan, reading: Reading) -> Plan:
        """Return a plan with its gates, and the verdicts that only need the models' files."""
        if not plan.actions:
            return plan
        contract = ContractGate(self.models).check(plan, plan.source)
        if contract is not None:
            plan = _with_contract(plan, contract)
        if plan.operation not in GATED:
            return plan
        return replace(plan, gates=tuple(self._steps(plan, reading)))

    def verdict(self, plan: Plan, step: GateStep) -> Verdict:
        """Check one gate of a plan.

        Raises UserError for what is not the model's fault, RemoteError of the platform.
        """
        known = {verdict.gate: verdict for verdict in plan.verdicts}
        if step.gate == CONTRACT:
            return known[CONTRACT]
        if step.gate == GOLDEN and self.golden is not None:
            return self.golden.check(plan, step)
        return self.load(plan)

    def load(self, plan: Plan) -> Verdict:
        """Compare the plan's model with the target's server; raises UserError likewise."""
        if plan.source is not None:
            return check_load(self.provider, self.local.artifact(plan.source))
        return check_load(self.provider, self.models.artifact(plan.revision))

    def _steps(self, plan: Plan, reading: Reading) -> Iterator[GateStep]:
        if self.settings.contract and any(v.gate == CONTRACT for v in plan.verdicts):
            sentence = f"compare the signatures with those of {plan.previous}"
            yield GateStep(CONTRACT, sentence, {"live": plan.previous})
        if self.settings.load and plan.operation is Operation.DEPLOY:
            yield GateStep(LOAD, "compare ops and variables with the target's server")
        if self.golden is not None:
            yield self.golden.step(plan, reading)


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
