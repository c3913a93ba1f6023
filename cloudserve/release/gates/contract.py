"""The gate *contract*: the revision answers the requests of the live one's clients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ModelError, RemoteError
from cloudserve.release.state.uploaded import revision_of
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.types import Operation, Plan
from cloudserve.release.verdict import Ruling, Verdict
from cloudserve.savedmodel import Contract, Effect, compare_interfaces, read_interface

CONTRACT = "contract"
_HINT = "compare them with `cloudserve diff`; keep the signatures, or give clients time to change"


@dataclass(frozen=True, slots=True)
class ContractGate:
    """Compares revisions of one model in one bucket."""

    uploaded: UploadedModels

    def check(self, plan: Plan, source: Path | None = None) -> Verdict | None:
        """Return the verdict on the plan's revision; None if no other revision is live.

        The revision's interface is read from the directory `source`, or from the bucket. Missing or
        unreadable files are UNCHECKED; so is a bucket that does not answer, if the plan is a
        rollback.
        """
        live = plan.previous
        if live is None or live == plan.revision.id or not plan.actions:
            return None
        try:
            before = self.uploaded.interface(revision_of(live))
            if source:
                after = read_interface(source, self.uploaded.tags)
            else:
                after = self.uploaded.interface(plan.revision)
        except (ModelError, RemoteError) as error:
            if isinstance(error, RemoteError) and plan.operation is not Operation.ROLLBACK:
                raise
            sentence = f"the signatures are not compared with those of {live}: {error.message}"
            return Verdict(CONTRACT, Ruling.UNCHECKED, sentence)
        return _verdict(plan, live, compare_interfaces(before, after))


def _verdict(plan: Plan, live: str, contract: Contract) -> Verdict:
    figures = {
        "live": live,
        "compatibility": contract.verdict.value,
        "differences": len(contract.differences),
        "breaking": len(contract.breaking),
        "answered": list(contract.answered),
    }
    breaking = tuple(map(str, contract.breaking))
    if not breaking:
        sentence = f"{plan.revision.id} answers all requests that {live} does"
        return Verdict(CONTRACT, Ruling.PASSED, sentence, figures)
    more = f", and {len(breaking) - 1} more" if len(breaking) > 1 else ""
    what = "any request" if contract.verdict is Effect.ALL else "all requests"
    sentence = f"{plan.revision.id} does not answer {what} that {live} does: {breaking[0]}{more}"
    return Verdict(CONTRACT, Ruling.REFUSED, sentence, figures, breaking, hint=_HINT)
