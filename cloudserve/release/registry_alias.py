"""The alias of MLflow's registry that names the live version, if the target asks for it.

It is set after the traffic has moved, under the lock. If it cannot be set, the release has
succeeded all the same: the error is a part of the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cloudserve import registry
from cloudserve.errors import CloudserveError, UserError
from cloudserve.project import Target
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import read_named
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Deployment, Followed, Operation, Outcome, Plan
from cloudserve.release.verdict import Verdict
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.events import Reporter
from cloudserve.storage.model_registry import ModelRegistry

SCHEME = "models:/"


@dataclass(frozen=True, slots=True)
class RegistryAlias:
    """Sets the alias of a target to the version that the plan's revision was uploaded from."""

    target: Target
    blobs: BlobStore
    layout: Layout
    environ: Mapping[str, str]

    def add(self, plan: Plan) -> Plan:
        """Return a plan with the alias, if it gives its revision all the traffic.

        The registry is no part of the offline clouds: a rehearsal leaves it alone, unless the
        command itself asked for the alias.
        """
        alias = self.target.mlflow_alias
        if not alias or not _gives_all_traffic(plan):
            return plan
        is_offline = plan.destination is not None and plan.destination.is_offline
        if is_offline and not self.target.rehearses_alias:
            left = f"a rehearsal leaves the alias `{alias}` of MLflow's registry as it is"
            return replace(plan, warnings=(*plan.warnings, left)) if plan.actions else plan
        return replace(plan, alias=alias)

    def check(self, plan: Plan) -> None:
        """Raise UserError, before any change, if the registry's packages are not installed.

        A rollback is not held up: its outcome says that the alias was not set.
        """
        if plan.alias and plan.operation is not Operation.ROLLBACK:
            self._registry()

    def is_due(self, plan: Plan) -> bool:
        """Return whether an alias has to be set for a plan that changes nothing else."""
        if not plan.alias or plan.operation is Operation.DEPLOY:
            return False
        try:
            url = self._version(plan)
            return self._registry().aliased(url, plan.alias) != _number(url)
        except CloudserveError:
            return True  # the outcome says why

    def followed(
        self,
        plan: Plan,
        deployment: Deployment,
        verdicts: tuple[Verdict, ...],
        reporter: Reporter,
    ) -> Outcome:
        """Set the alias if the plan names one, and return the outcome of the release with it."""
        if not plan.alias:
            return Outcome(plan, deployment, verdicts)
        followed = self._follow(plan, deployment)
        if followed.error:
            reporter.line(
                f"warning: the release is done, but the alias `{plan.alias}` was not set: "
                f"{followed.error}"
            )
        return Outcome(plan, deployment, verdicts, followed)

    def _follow(self, plan: Plan, deployment: Deployment) -> Followed:
        try:
            self._check_live(plan, deployment)
            url = self._version(plan)
            if self._registry().aliased(url, plan.alias) != _number(url):
                self._registry().set_alias(url, plan.alias)
        except CloudserveError as error:
            return Followed(plan.alias, error=_sentences(plan, error))
        return Followed(plan.alias, url)

    def _registry(self) -> ModelRegistry:
        return registry.model_registry(SCHEME, self.environ)

    def _version(self, plan: Plan) -> str:
        """Return the URL of the registry's version whose files the revision has."""
        manifest = read_named(self.blobs, self.layout, plan.revision.id)
        if manifest is None or not manifest.registered.startswith(SCHEME):
            raise UserError(
                f"{plan.revision.id} was not uploaded from a version of MLflow's registry",
                hint="deploy versions from `path: models:/NAME@ALIAS`",
            )
        return manifest.registered

    def _check_live(self, plan: Plan, deployment: Deployment) -> None:
        others = [n for n, s in deployment.traffic.items() if s > 0 and n != plan.revision.id]
        if deployment.live != plan.revision.id or others:
            raise UserError(
                f"{plan.revision.id} does not have all the traffic",
                hint="look at `cloudserve status`",
            )


def _gives_all_traffic(plan: Plan) -> bool:
    """Return whether a plan makes its revision the only one with traffic."""
    if plan.operation is Operation.DEPLOY:
        return plan.previous is None
    moves = {Operation.PROMOTE, Operation.ROLLBACK}
    return plan.operation in moves and plan.percent == ALL


def _number(url: str) -> int:
    return int(url.rpartition("/")[2])


def _sentences(plan: Plan, error: CloudserveError) -> str:
    again = (
        f"`cloudserve promote {plan.model} --target {plan.target} --version {plan.revision.id}` "
        "sets it"
    )
    what = f"{error.message} ({error.where})" if error.where else error.message
    return "; ".join([what, *([error.hint] if error.hint else []), f"then {again}"])
