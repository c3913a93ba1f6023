"""The plan of a collection: old revisions leave the platform, then their files the bucket."""

from __future__ import annotations

from collections.abc import Collection as AnyOf
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cloudserve.errors import ConflictError, UserError
from cloudserve.plural import counted
from cloudserve.release.collection import Collectable, Collection, Hold
from cloudserve.release.provider import CollectingProvider, Provider, UndeployProvider
from cloudserve.release.state.entries import Release
from cloudserve.release.state.expected import DEPLOYMENTS
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.tidy.inventory import Files, Inventory, read_inventory
from cloudserve.release.tidy.reasons import by_age, newest, owned_names, reasons_to_keep, used_by
from cloudserve.release.types import (
    DELETE_FILES,
    KEEP_FILES,
    NO_REVISION,
    Action,
    Operation,
    Plan,
    Reading,
)


@dataclass(frozen=True, slots=True)
class Collector:
    """Plans collections of one model on one target. Reads the bucket, and changes nothing."""

    provider: Provider
    layout: Layout

    def plan(self, reading: Reading, keep: int) -> Plan:
        """Plan to remove all revisions but the `keep` newest and those with a reason to stay.

        Resources that belong to no revision, such as unused endpoint configurations, go too.
        Raises UserError where the adapter cannot collect, or `keep` is less than 1.
        """
        if keep < 1:
            raise UserError(
                f"{keep} is not a number of revisions to keep", hint="keep 1 or more of the newest"
            )
        collection, inventory = self._survey(reading, keep)
        going = collection.removes
        return self._plan(reading, collection, inventory, self._leftovers(reading, going))

    def plan_of(self, reading: Reading, names: AnyOf[str], *, leftovers: bool) -> Plan:
        """Plan to remove these revisions, as far as they are left.

        Raises ConflictError for a revision that has a reason to stay by now.
        """
        collection, inventory = self._survey(reading, 0)
        existing = [r for r in collection.revisions if r.revision in names]
        kept = [r for r in existing if r.kept]
        if kept:
            raise ConflictError(
                f"{kept[0].revision} is to stay: {kept[0].kept}",
                where=f"{self.layout.model} on {self.layout.target}",
                hint="plan the collection again",
            )
        rest = replace(collection, revisions=tuple(existing))
        actions = self._leftovers(reading, rest.removes) if leftovers else ()
        return self._plan(reading, rest, inventory, actions)

    def _survey(self, reading: Reading, keep: int) -> tuple[Collection, Inventory]:
        inventory = read_inventory(self.provider.blobs, self.layout)
        releases = Ledger(self.provider.blobs, self.layout).releases()
        deployed = {d.revision.id for d in reading.deployment.revisions}
        if deployed and not any(release.operation in DEPLOYMENTS for release in releases):
            raise ConflictError(
                f"the ledger of {self.layout.model} is empty, so that it is not known what a "
                "rollback goes back to",
                where=f"{self.layout.bucket}/{self.layout.ledger}",
                hint="bring the ledger back, or remove versions one by one with "
                "`cloudserve undeploy --version`",
            )
        names = owned_names(deployed, inventory.files, releases)
        holds = self._adapter().holds(reading)
        kept = reasons_to_keep(reading.deployment, releases, holds)
        for name in newest(names, keep):
            kept.setdefault(name, f"it is one of the {keep} newest")
        files_kept = self._files_kept(inventory, holds)
        revisions = tuple(
            _collectable(name, inventory.files.get(name), name in deployed, kept, files_kept)
            for name in by_age(names)
        )
        return Collection(keep, revisions, inventory.unknown), inventory

    def _files_kept(self, inventory: Inventory, holds: Mapping[str, Hold]) -> dict[str, str]:
        """Return why files stay: other targets share them, or the platform refers to them."""
        kept = {name: hold.reason for name, hold in holds.items() if hold.files_only}
        for target in inventory.targets:
            if target != self.layout.target:
                for name in used_by(self._releases_of(target)):
                    kept.setdefault(name, f"the target {target} has it too")
        return kept

    def _releases_of(self, target: str) -> tuple[Release, ...]:
        return Ledger(self.provider.blobs, replace(self.layout, target=target)).releases()

    def _leftovers(self, reading: Reading, going: Sequence[str]) -> tuple[Action, ...]:
        return self._adapter().plan_leftovers(reading, tuple(going))

    def _adapter(self) -> CollectingProvider:
        provider = self.provider
        if isinstance(provider, CollectingProvider) and isinstance(provider, UndeployProvider):
            return provider
        raise UserError(
            "the adapter of this target's provider cannot collect: it has no `plan_leftovers`",
            where=f"{self.layout.model} on {self.layout.target}",
            hint="update the adapter, or remove versions with `cloudserve undeploy`",
        )

    def _plan(
        self,
        reading: Reading,
        collection: Collection,
        inventory: Inventory,
        leftovers: tuple[Action, ...],
    ) -> Plan:
        deployment = reading.deployment
        going = [r for r in collection.revisions if r.is_removed]
        deployed = tuple(r.revision for r in going if r.is_deployed)
        assert isinstance(self.provider, UndeployProvider)
        actions = self.provider.plan_undeploy(reading, deployed) if deployed else ()
        files = [_deletion(r) for r in going if r.revision in inventory.files and not r.files_kept]
        files += [
            _withdrawal(r.revision)
            for r in collection.revisions
            if (r.kept or r.files_kept) and inventory.is_interrupted(r.revision)
        ]
        return Plan(
            Operation.GC,
            self.layout.target,
            deployment.model,
            NO_REVISION,
            (*actions, *leftovers, *files),
            previous=deployment.live,
            state=deployment.fingerprint,
            removes=collection.removes,
            collection=collection,
        )


def _collectable(
    name: str,
    files: Files | None,
    is_deployed: bool,
    kept: Mapping[str, str],
    files_kept: Mapping[str, str],
) -> Collectable:
    return Collectable(
        name,
        is_deployed,
        len(files.keys) if files else 0,
        files.size if files else 0,
        kept.get(name, ""),
        files_kept.get(name, "") if files else "",
    )


def _deletion(revision: Collectable) -> Action:
    name, size = revision.revision, revision.size
    objects = counted(revision.objects, "object")
    sentence = f"delete the files of {name}: {objects}, {counted(size, 'byte')}"
    args = {"revision": name, "bytes": size}
    return Action(DELETE_FILES, sentence, args, id=f"{DELETE_FILES}-{name}")


def _withdrawal(name: str) -> Action:
    sentence = f"keep the files of {name}, whose deletion had begun"
    return Action(KEEP_FILES, sentence, {"revision": name}, id=f"{KEEP_FILES}-{name}")
