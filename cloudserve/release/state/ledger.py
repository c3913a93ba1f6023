"""The ledger: who did what to a model, when, from which digest; append-only, in its bucket.

Each event is one object, created only if its number is free, so that two writers never lose or
overwrite each other's entries. An entry is written atomically.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import msgspec

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.hints import printable
from cloudserve.release.canary.record import CanaryRecord
from cloudserve.release.state.entries import (
    APPROVALS,
    Entry,
    Event,
    Release,
    fold,
    later_entry,
)
from cloudserve.release.state.layout import Layout
from cloudserve.storage.contract import BlobStore, Expect

ATTEMPTS = 20
READERS = 8
PAGE = 32
"""Entries that are read before the first of them is looked at: some six releases."""
FIRST_PAGE = 8
"""Entries that are read first of all: the newest release, most often."""
ENTRY = re.compile(r"([0-9]{10}|[1-9][0-9]{10,})\.json")


class Ledger:
    """The ledger of one model in one bucket."""

    def __init__(self, blobs: BlobStore, layout: Layout) -> None:
        self._blobs = blobs
        self._prefix = layout.ledger
        self._last = 0

    def append(self, entry: Entry) -> None:
        """Write an entry under the next free number; raises ConflictError if all attempts fail."""
        data = msgspec.json.encode(entry)
        self._last = self._last or max(self._numbers(), default=0)
        for _ in range(ATTEMPTS):
            self._last += 1
            try:
                self._blobs.write(self._key(self._last), data, Expect.ABSENT)
            except ConflictError:
                continue
            return
        raise ConflictError(
            "the ledger has too many writers at once",
            where=f"{self._blobs.url}/{self._prefix}",
            hint="run the same command again",
        )

    def approve(self, entry: Entry) -> Release:
        """Append an approval or its withdrawal, and return it; raises ConflictError likewise."""
        self.append(entry)
        return fold([entry], None)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in the order they were written; other objects are ignored."""
        return self._read(sorted(self._numbers()))

    def newest(self, *, with_approvals: bool = False) -> Generator[Release]:
        """Yield the releases from the newest back, reading no more than is asked for.

        They are ordered by their start: a suspended release may have ended after a later one.
        """
        groups: dict[str, list[Entry]] = {}
        later: dict[str, Entry] = {}
        for entry in self._read(sorted(self._numbers(), reverse=True)):
            if entry.event in APPROVALS:
                if with_approvals:
                    yield fold([entry], None)
                continue
            group = groups.setdefault(entry.release, [])
            group.append(entry)
            if entry.supersedes:
                later[entry.supersedes] = entry
            if entry.event is Event.STARTED:
                yield fold(groups.pop(entry.release)[::-1], later.pop(entry.release, None))
        for group in groups.values():  # somebody deleted their begin
            yield fold(group[::-1], later.get(group[0].release))

    def unfinished(self) -> Release | None:
        """Return the release of the last entry if it is neither finished nor refused.

        Releases are one at a time, and each that starts supersedes one without an end, so only the
        last can be without one.
        """
        last = self._last_event()
        if last is None or last.outcome in {Event.FINISHED, Event.REFUSED}:
            return None
        with closing(self.newest()) as newest:
            return next((release for release in newest if release.id == last.release), None)

    def finish(self, release: Release, who: str, run: str) -> None:
        """Record that an interrupted release has had its intended outcome."""
        entry = later_entry(release, Event.FINISHED, who)
        self.append(msgspec.structs.replace(entry, run=run))

    def note(self, release: Release, who: str, canary: CanaryRecord) -> None:
        """Record what is now known of a canary with the release that gave it its traffic."""
        entry = later_entry(release, Event.EVIDENCE, who)
        self.append(msgspec.structs.replace(entry, canary=canary))

    def releases(self, limit: int | None = None) -> tuple[Release, ...]:
        """Return the releases and approvals, or the last of them, oldest first."""
        with closing(self.newest(with_approvals=True)) as newest:
            return tuple(islice(newest, limit))[::-1]

    def _last_event(self) -> Entry | None:
        """Return the last entry that says how far a release is: no evidence, and no approval."""
        numbers = sorted(self._numbers(), reverse=True)
        for part in (numbers[:1], numbers[1:]):  # most often the first is the one
            with closing(self._read(part)) as entries:
                for entry in entries:
                    if entry.event not in {Event.EVIDENCE, *APPROVALS}:
                        return entry
        return None

    def _read(self, numbers: Sequence[int]) -> Generator[Entry]:
        """Yield the entries of these numbers in their order, several requested at once."""
        for at in (0, *range(FIRST_PAGE, len(numbers), PAGE)):
            until = at + PAGE if at else FIRST_PAGE
            keys = [self._key(number) for number in numbers[at:until]]
            # It ends before an entry is yielded: Python drops Ctrl-C while it ends a generator.
            with ThreadPoolExecutor(READERS, "ledger") as pool:
                objects = list(pool.map(self._blobs.read, keys))
            for key, stored in zip(keys, objects, strict=True):
                if stored is not None:
                    yield self._decode(key, stored[0])

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number:010d}.json"

    def _numbers(self) -> list[int]:
        # Whoever has the bucket may put anything here: a console's folder mark, a copy, notes.
        keys = (blob.key for blob in self._blobs.list(self._prefix))
        names = (ENTRY.fullmatch(key.removeprefix(self._prefix)) for key in keys)
        return [int(name[1]) for name in names if name]

    def _decode(self, key: str, data: bytes) -> Entry:
        try:
            return msgspec.json.decode(data, type=Entry)
        except msgspec.DecodeError as error:
            raise RemoteError(
                f"a ledger entry cannot be read: {error}",
                where=f"{self._blobs.url}/{key}",
                hint="a later version may have written it; move it away if it is of no use",
            ) from error


def actor(environ: Mapping[str, str]) -> str:
    """Return the actor: `CLOUDSERVE_ACTOR`, the CI's own name for its user, or user@host."""
    for variable in ("CLOUDSERVE_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID"):
        if environ.get(variable):
            return printable(environ[variable])
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
