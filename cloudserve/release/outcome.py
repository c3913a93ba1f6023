"""The outcome of a release."""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.release.types import Deployment, Plan
from cloudserve.release.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a changing verb: the plan and the deployment after it."""

    plan: Plan
    deployment: Deployment
    verdicts: tuple[Verdict, ...] = ()
    """The verdicts of the plan's gates."""

    @property
    def changed(self) -> bool:
        """Return whether the plan had actions."""
        return bool(self.plan.actions)
