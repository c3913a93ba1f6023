"""The gate *approval*: people have approved the revision's digest before it gets traffic.

They approve it in the platform's registry, if the target has one, or with `cloudserve approve`,
which the ledger keeps. Each that is configured is required.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudserve.project.gate_settings import ApprovalSettings
from cloudserve.release.provider import Approval, Provider, RegistryProvider
from cloudserve.release.state.approvals import Approvals, Person, read_approvals
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.types import GateStep, Operation, Plan, Reading
from cloudserve.release.verdict import Ruling, Verdict

APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class ApprovalGate:
    """The approvals of one model on one target."""

    settings: ApprovalSettings | None
    """None if no approval in the ledger is required."""
    provider: Provider
    ledger: Ledger

    def step(self, plan: Plan, reading: Reading) -> GateStep | None:
        """Return the step of a plan; None if no approval is required.

        A deployment beside a live version gets no traffic and needs none. The first version of a
        model needs one in the ledger; it is in the registry only when it is deployed.
        """
        del reading
        is_first = plan.operation is Operation.DEPLOY
        if is_first and plan.previous is not None:
            return None
        registry = "" if is_first else _registry_of(self.provider)
        if not registry and self.settings is None:
            return None
        is_other = self.settings is not None and self.settings.require_other
        places = [registry] if registry else []
        if self.settings is not None:
            other = ", by a person who did not deploy it" if is_other else ""
            places.append(f"the ledger{other}")
        sentence = f"look for the approval of {plan.revision.id} in {' and in '.join(places)}"
        args = {
            "registry": registry,
            "ledger": self.settings is not None,
            "require_other": is_other,
        }
        return GateStep(APPROVAL, sentence, args)

    def check(self, plan: Plan, step: GateStep) -> Verdict:
        """Return whether the revision is approved; raises RemoteError of the platform."""
        figures: dict[str, Any] = {"digest": plan.revision.digest, **step.args}
        approvals = list(self._approvals(plan, step, figures))
        missing = next((approval for approval in approvals if not approval.is_given), None)
        if missing is None:
            sentence = "; ".join(approval.sentence for approval in approvals)
            return Verdict(APPROVAL, Ruling.PASSED, sentence, figures)
        return Verdict(
            APPROVAL,
            Ruling.REFUSED,
            missing.sentence,
            figures,
            hint=missing.hint,
            where=missing.where,
        )

    def _approvals(self, plan: Plan, step: GateStep, figures: dict[str, Any]) -> Iterator[Approval]:
        if step.args["registry"] and isinstance(self.provider, RegistryProvider):
            yield self.provider.approval(plan.model, plan.revision)
        if step.args["ledger"]:
            approvals = self._in_ledger(plan)
            figures |= {
                "approved_by": [str(person) for person in approvals.approvers],
                "deployed_by": [str(person) for person in approvals.deployers],
            }
            yield _judged(plan, approvals, is_other=bool(step.args["require_other"]))

    def _in_ledger(self, plan: Plan) -> Approvals:
        if not self.provider.blobs.exists():
            return Approvals()
        return read_approvals(self.ledger, plan.revision.digest)


def _registry_of(provider: Provider) -> str:
    return provider.registry if isinstance(provider, RegistryProvider) else ""


def _judged(plan: Plan, approvals: Approvals, *, is_other: bool) -> Approval:
    name, command = plan.revision.id, f"cloudserve approve {plan.model} --target {plan.target}"
    command += f" --version {plan.revision.number if plan.source else name}"
    if not approvals.approvers:
        return Approval(
            is_given=False,
            sentence=f"nobody has approved {name}",
            hint=f"look at it, then: {command}",
        )
    by = approvals.others if is_other else approvals.approvers
    if by:
        return Approval(is_given=True, sentence=f"{name} is approved by {_names(by)}")
    who = _names(approvals.approvers)
    why = "the ledger does not say who deployed it"
    if approvals.deployers:
        why = f"{_names(approvals.deployers)} deployed it"
        if not {*approvals.approvers} & {*approvals.deployers}:
            why += " (a name from the cloud and one from a machine cannot be compared)"
    return Approval(
        is_given=False,
        sentence=f"{name} needs the approval of another person: {who} approved it, and {why}",
        hint=f"have another person run: {command}",
    )


def _names(people: tuple[Person, ...]) -> str:
    return " and ".join(map(str, people))
