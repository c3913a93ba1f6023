"""The comparison of a revision's signatures with those of the live one, read from the bucket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cloudserve.errors import CheckFailedError, ModelError, RemoteError
from cloudserve.release.nouns import Operation, Plan
from cloudserve.release.state.interfaces import UploadedInterfaces
from cloudserve.release.state.uploaded import revision_of
from cloudserve.savedmodel import compare_interfaces, read_interface


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Compares revisions of one model in one bucket."""

    uploaded: UploadedInterfaces

    def check(self, plan: Plan, source: Path | None = None) -> Plan:
        """Return the plan with the requests of the live revision's clients that it would break.

        The revision's signatures are read from the directory `source`, or from the bucket. Missing
        or unreadable files become a warning of the plan; so does a bucket that does not answer, if
        the plan is a rollback.
        """
        live = plan.previous
        if live is None or live == plan.revision.id or not plan.actions:
            return plan
        try:
            before = self.uploaded.read(revision_of(live))
            after = (
                read_interface(source, self.uploaded.tags)
                if source
                else self.uploaded.read(plan.revision)
            )
        except (ModelError, RemoteError) as error:
            if isinstance(error, RemoteError) and plan.operation is not Operation.ROLLBACK:
                raise
            sentence = f"the signatures are not compared with those of {live}: {error.message}"
            return replace(plan, warnings=(*plan.warnings, sentence))
        contract = compare_interfaces(before, after)
        breaking = tuple(str(difference) for difference in contract.breaking)
        return replace(plan, breaking=breaking)


def check_compatible(plan: Plan) -> None:
    """Raise CheckFailedError when the plan's revision breaks clients of the live one.

    A rollback goes back to what clients used before, and is not refused.
    """
    if plan.breaking and plan.operation is not Operation.ROLLBACK:
        more = f", and {len(plan.breaking) - 1} more" if len(plan.breaking) > 1 else ""
        raise CheckFailedError(
            f"{plan.revision.id} does not answer all requests that {plan.previous} does: "
            f"{plan.breaking[0]}{more}",
            where=f"{plan.model} on {plan.target}",
            hint="look at `cloudserve plan`; `--allow-breaking` releases it all the same",
        )
