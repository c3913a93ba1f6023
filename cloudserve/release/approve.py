"""The approval of a revision by a person, recorded in the ledger.

It changes nothing on the platform and needs no lock: an entry is one object, created only if its
number is free. A release that runs at the same time saw it or did not.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.errors import CheckFailedError, UserError
from cloudserve.project.gate_settings import GateSettings
from cloudserve.release.destination import Destination
from cloudserve.release.planning.planner import choose, newest
from cloudserve.release.planning.resolve import meant
from cloudserve.release.provider import Provider
from cloudserve.release.state.approvals import Person, approval_entry, read_approvals
from cloudserve.release.state.entries import Event, Release
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.transfer.local import LocalModel
from cloudserve.release.types import Deployment, Revision


@dataclass(frozen=True, slots=True)
class Approver:
    """Records approvals of one model on one target."""

    provider: Provider
    layout: Layout
    local: LocalModel
    gates: GateSettings
    """The target's."""
    who: str

    def revision(self, deployment: Deployment, version: str | None) -> Revision:
        """Return the deployed revision that is meant, by default the newest.

        A version of the project that is not deployed can be approved if nothing is live: it takes
        all traffic when it is deployed. Raises UserError if none fits.
        """
        try:
            chosen = newest(deployment) if version is None else choose(deployment, version)
        except UserError:
            number = None if version is None else version.partition("-")[0].removeprefix("v")
            if deployment.live is not None or not (number is None or number.isdecimal()):
                raise
            revision, _, _ = self.local.read(None if number is None else int(number))
            if version is not None and not meant(version, {revision.id: revision.digest}):
                raise
            return revision
        return chosen.revision

    def record(
        self, revision: Revision, destination: Destination, comment: str, *, withdraw: bool
    ) -> Release:
        """Append the approval, or a withdrawal, and return it as the history tells it.

        Raises UserError if the bucket does not exist, CheckFailedError if the target requires
        a person who did not deploy the revision.
        """
        where = f"{self.layout.model} on {self.layout.target}"
        if not self.provider.blobs.exists():
            raise UserError(
                f"the bucket {self.provider.blobs.url} does not exist, and would hold the approval",
                where=where,
                hint="make the bucket first; or deploy with `--override approval --reason TEXT`",
            )
        ledger = Ledger(self.provider.blobs, self.layout)
        person, gate = Person.of(self.who, destination.person), self.gates.approval
        approvals = read_approvals(ledger, revision.digest)
        is_strict = gate is not None and gate.require_other
        if is_strict and not withdraw and not approvals.is_other(person):
            raise CheckFailedError(
                f"{person} cannot approve {revision.id}: "
                f"{' and '.join(map(str, approvals.deployers))} deployed it",
                where=where,
                hint="the target requires the approval of another person (`require_other`)",
            )
        place, by = (self.layout.target, self.layout.model), (self.who, destination.person)
        event = Event.WITHDRAWN if withdraw else Event.APPROVED
        return ledger.approve(approval_entry(place, revision, by, event, comment))
