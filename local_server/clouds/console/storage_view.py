"""Buckets, their objects, and the releases whose ledgers are in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from cloudserve.release.canary.record import Measured
from cloudserve.release.state.entries import APPROVALS, Entry, Release, fold
from cloudserve.release.state.layout import ROOT

from ..objects.store.errors import ObjectStoreError
from ..objects.store.store import ObjectStore

MOST_OBJECTS = 500
_LEDGER = re.compile(rf"{ROOT}/(?:project\.[^/]+/)?[^/]+/targets/[^/]+/ledger/[0-9]+\.json")
Stores = Mapping[str, ObjectStore]
"""The object stores by the scheme of their URLs: `s3`, `gs`."""


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket with what is in it."""

    scheme: str
    name: str
    place: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object."""

    key: str
    bytes: int
    updated: float
    content_type: str


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release as its ledger tells it."""

    id: str
    bucket: str
    target: str
    environment: str
    """The environment of the project file that was chosen; "" if there is none."""
    model: str
    operation: str
    revision: str
    previous: str
    percent: int
    started: str
    who: str
    outcome: str
    error: str
    steps: tuple[str, ...]
    gates: tuple[str, ...]
    """The sentences of the gates' verdicts."""
    canary: str = ""
    """The sentence of a canary's last evidence; "" if the release is not a canary."""
    measures: tuple[Measured, ...] = ()
    """The counts and e-values of that evidence."""


def list_objects(stores: Stores, scheme: str, bucket: str) -> tuple[ObjectRow, ...] | None:
    """Return the first objects of a bucket; None if it does not exist."""
    store = stores.get(scheme)
    try:
        found = store.list(bucket, limit=MOST_OBJECTS) if store else None
    except ObjectStoreError:
        return None
    if found is None:
        return None
    return tuple(
        ObjectRow(each.key, each.size, each.updated, each.properties.content_type)
        for each in found.objects
    )


class Buckets:
    """The buckets with their sizes; a store is counted again when it has changed."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._counted: dict[str, tuple[int, tuple[BucketRow, ...]]] = {}

    def rows(self) -> tuple[BucketRow, ...]:
        """Return all buckets. Thread-safe."""
        return tuple(row for scheme in self._stores for row in self._of(scheme))

    def _of(self, scheme: str) -> tuple[BucketRow, ...]:
        store = self._stores[scheme]
        # Before the count: a change in the meantime is seen the next time.
        changes = store.changes
        known, rows = self._counted.get(scheme, (-1, ()))
        if known != changes:
            rows = tuple(
                BucketRow(scheme, bucket.name, bucket.region, *_usage(store, bucket.name))
                for bucket in store.list_buckets()
            )
            self._counted[scheme] = changes, rows
        return rows


class Ledgers:
    """The releases in the buckets; a bucket is read again when it has changed."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._read: dict[tuple[str, str], tuple[tuple[int, int], tuple[ReleaseRow, ...]]] = {}

    def releases(self, buckets: Iterable[BucketRow]) -> tuple[ReleaseRow, ...]:
        """Return the releases, the newest first."""
        rows: list[ReleaseRow] = []
        for bucket in buckets:
            key, size = (bucket.scheme, bucket.name), (bucket.objects, bucket.bytes)
            if self._read.get(key, (None, ()))[0] != size:
                self._read[key] = size, tuple(self._releases(bucket))
            rows += self._read[key][1]
        return tuple(sorted(rows, key=lambda row: row.started, reverse=True))

    def _releases(self, bucket: BucketRow) -> Iterator[ReleaseRow]:
        groups: dict[str, list[Entry]] = {}
        later: dict[str, Entry] = {}
        for entry in self._entries(bucket):
            if entry.event not in APPROVALS:
                groups.setdefault(entry.release, []).append(entry)
            if entry.supersedes:
                later[entry.supersedes] = entry
        for release, entries in groups.items():
            place = f"{bucket.scheme}://{bucket.name}"
            yield _row(fold(entries, later.get(release)), place, entries[0].environment)

    def _entries(self, bucket: BucketRow) -> Iterator[Entry]:
        store = self._stores[bucket.scheme]
        try:
            objects = list(store.walk(bucket.name, f"{ROOT}/"))
        except ObjectStoreError:  # it was deleted in this moment
            return
        for each in objects:
            if not _LEDGER.fullmatch(each.key):
                continue
            try:
                yield msgspec.json.decode(store.path(each).read_bytes(), type=Entry)
            except (OSError, ValueError):  # deleted in this moment, or no entry
                continue


def _row(release: Release, bucket: str, environment: str) -> ReleaseRow:
    return ReleaseRow(
        release.id,
        bucket,
        release.target,
        environment,
        release.model,
        str(release.operation),
        release.revision,
        release.previous or "",
        release.percent,
        release.started.isoformat(timespec="microseconds"),
        release.person or release.who,
        str(release.outcome),
        release.error,
        release.steps,
        tuple(verdict.sentence for verdict in release.verdicts),
        release.canary.sentence if release.canary else "",
        release.canary.measures if release.canary else (),
    )


def _usage(store: ObjectStore, bucket: str) -> tuple[int, int]:
    try:
        return store.usage(bucket)
    except ObjectStoreError:  # it was deleted in this moment
        return 0, 0
