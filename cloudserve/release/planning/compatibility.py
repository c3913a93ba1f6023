"""The comparison of a revision's signatures with those of the live one, read from the bucket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cloudserve.errors import CheckFailedError, ModelError, RemoteError
from cloudserve.release.nouns import Operation, Plan, Revision
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import revision_of
from cloudserve.savedmodel import Signature, compare, parse_signatures, read_saved_model
from cloudserve.storage.contract import BlobStore

FILES = ("saved_model.pb", "saved_model.pbtxt")
"""The forms of the model file that signatures are read from, in TensorFlow's order."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Compares revisions of one model in one bucket."""

    blobs: BlobStore
    layout: Layout
    tags: tuple[str, ...]

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
            before = self._uploaded(revision_of(live))
            after = self._local(source) if source else self._uploaded(plan.revision)
        except (ModelError, RemoteError) as error:
            if isinstance(error, RemoteError) and plan.operation is not Operation.ROLLBACK:
                raise
            sentence = f"the signatures are not compared with those of {live}: {error.message}"
            return replace(plan, warnings=(*plan.warnings, sentence))
        breaking = tuple(str(difference) for difference in compare(before, after).breaking)
        return replace(plan, breaking=breaking)

    def _local(self, source: Path) -> tuple[Signature, ...]:
        return read_saved_model(source, self.tags).all_signatures

    def _uploaded(self, revision: Revision) -> tuple[Signature, ...]:
        folder = self.layout.location(revision).saved_model
        for name in FILES:
            found = self.blobs.read(folder + name)
            if found is not None:
                return parse_signatures(found[0], name, self.tags, f"{self.blobs.url}/{folder}")
        raise ModelError(
            f"the files of {revision.id} are not in {self.blobs.url}",
            where=f"{self.blobs.url}/{folder}",
            hint="deploy the version again",
        )


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
