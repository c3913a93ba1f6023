"""The revision of a plan as gates ask it: on the platform, or its files in the local server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cloudserve.interruption import check_interrupted
from cloudserve.project import Field
from cloudserve.release.provider import AskedProvider, Provider, ServingProvider
from cloudserve.release.state.layout import Layout
from cloudserve.release.transfer.local import LocalModel
from cloudserve.release.transfer.pull import pull
from cloudserve.release.types import Operation, Plan, Reading, Revision

if TYPE_CHECKING:
    from cloudserve.golden.ask import Ask

SCRIPT = "code/inference.py"
"""The file of a model on SageMaker that the container runs, and no other server."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions of one model on one target."""

    provider: Provider
    layout: Layout
    local: LocalModel
    fields: Mapping[str, Field]
    """The target's."""

    def why_not_deployed(self, plan: Plan, reading: Reading) -> str:
        """Return why the plan's revision cannot be asked on the platform alone; "" if it can."""
        if plan.operation is Operation.DEPLOY:
            return "it is not deployed yet"
        return self.why_not_asked(reading, plan.revision.id)

    def is_new(self, plan: Plan, reading: Reading) -> bool:
        """Return whether the plan gives the revision its first traffic since it was deployed.

        A later step of a canary needs no second look at what cannot have changed, and its own tests
        compare the response times.
        """
        share = reading.deployment.traffic.get(plan.revision.id, 0.0)
        return plan.operation is not Operation.DEPLOY and not share

    def why_not_asked(self, reading: Reading, revision_id: str) -> str:
        """Return why a deployed revision cannot be asked alone; "" if it can."""
        if not isinstance(self.provider, AskedProvider):
            return "the adapter has no `why_not_asked`"
        return self.provider.why_not_asked(reading, revision_id)

    def ask(self, revision_id: str) -> Ask:
        """Return what asks a deployed revision."""

        def ask(body: bytes) -> bytes:
            check_interrupted()
            return self.provider.predict(self.layout.model, body, revision_id)

        return ask

    def server_of(self, revision: Revision) -> str:
        """Return what serves a revision on the platform, such as an image; "" if unknown."""
        if not isinstance(self.provider, ServingProvider):
            return ""
        return self.provider.server_of(self.layout.model, revision.id)

    @contextmanager
    def files(self, plan: Plan) -> Iterator[Path]:
        """Give the directory of the plan's revision, from the bucket if it is not local."""
        source = plan.source or self.local.find(plan.revision)
        if source is not None:
            yield source
            return
        with tempfile.TemporaryDirectory(prefix="cloudserve-gate-") as folder:
            into = Path(folder) / str(plan.revision.number)
            pull(self.provider.blobs, self.layout, plan.revision.id, into)
            yield into
