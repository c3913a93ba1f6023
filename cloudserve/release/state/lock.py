"""The lock of a release: an object created only if it is absent, so one release runs at a time.

The lock is a lease of a few minutes, renewed while the release runs. It is taken over when it
expires, or if its holder was a process of this machine that no longer runs (a killed deploy can be
run again immediately). Every later write is conditional on the token that was read, so one of two
competing processes wins, and a holder that was suspended too long finds out.

Before each action a release verifies that it still holds the lock, and stops otherwise. No platform
supports fencing tokens, so a started action is not cancelled: the renewal just before it guarantees
a whole lease. Times are compared across machines, whose clocks must agree to within minutes.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from cloudserve.errors import CloudserveError, ConflictError, RemoteError
from cloudserve.storage.contract import BlobStore, Expect

LEASE = timedelta(minutes=5)
RENEWALS = 5
"""The renewals per lease time, so that a few failures in a row do not lose the lease."""
logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]


class Lease(msgspec.Struct, frozen=True):
    """Who holds the lock, and until when."""

    release: str
    who: str
    host: str
    pid: int
    boot: str
    """What tells the process from a later one with its number."""
    expires: datetime
    machine: str = ""
    """What tells machines and containers apart that share a host name."""
    before: tuple[str, ...] = ()
    """The releases that left the lock, one after the other, to this one."""


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class Lock:
    """A lock at one key, from `acquire` to `release`. Two threads may renew it."""

    def __init__(
        self, blobs: BlobStore, key: str, lease: Lease, term: timedelta, clock: Clock
    ) -> None:
        self._blobs = blobs
        self._key = key
        self._lease = lease
        self._term = term
        self._clock = clock
        self._token = ""
        self._renewing = threading.Lock()

    def acquire(self) -> None:
        """Take the lock; raises ConflictError that names the holder when somebody has it."""
        token, holder = self._read()
        if holder and not is_left(holder, self._clock):
            raise self._held(holder)
        if holder:
            before = (*holder.before, holder.release)
            self._lease = msgspec.structs.replace(self._lease, before=before)
        try:
            self._write(token or Expect.ABSENT)
        except ConflictError as error:
            self._adopt(error, self._held)

    def renew(self) -> None:
        """Begin a new lease; raises ConflictError when another release has taken the lock."""
        with self._renewing:
            try:
                self._write(self._token)
            except ConflictError as error:
                self._adopt(error, self._lost)
                self._write(self._token)

    def check(self) -> None:
        """Make sure that the lock is held; raises ConflictError when another release has taken it.

        A lease that is not new any more is renewed. A bucket that cannot be asked is no reason to
        stop while the lease lasts; RemoteError after.
        """
        try:
            if self._lease.expires - self._clock() < self._term * (RENEWALS - 1) / RENEWALS:
                self.renew()
            else:
                self._confirm()
        except RemoteError as error:
            if self._clock() >= self._lease.expires:
                raise
            logger.warning("the lock %s could not be read: %s", self._where, error)

    def release(self) -> None:
        """Delete the lock if it is held, by a lease that has not ended; a failure is only logged.

        Whatever ended the release must reach the user. One that has ended is anybody's to take, so
        that it is not deleted: it may be taken in the same moment.
        """
        try:
            _, holder = self._read()
            if holder and self._is_own(holder) and holder.expires > self._clock():
                self._blobs.delete(self._key)
        except CloudserveError as error:
            logger.warning("the lock %s may stay until it expires: %s", self._where, error)

    @property
    def _where(self) -> str:
        return f"{self._blobs.url}/{self._key}"

    def _read(self) -> tuple[str, Lease | None]:
        stored = self._blobs.read(self._key)
        return (stored[1], _decode(stored[0])) if stored else ("", None)

    def _write(self, expect: Expect | str) -> None:
        lease = msgspec.structs.replace(self._lease, expires=self._clock() + self._term)
        self._token = self._blobs.write(self._key, msgspec.json.encode(lease), expect)
        self._lease = lease

    def _is_own(self, holder: Lease) -> bool:
        return holder.release == self._lease.release

    def _confirm(self) -> None:
        _, holder = self._read()
        if holder is None or not self._is_own(holder):
            raise self._lost(holder)

    def _adopt(
        self, error: ConflictError, refused: Callable[[Lease | None], ConflictError]
    ) -> None:
        """Take the present object's token if a write of our own stands there.

        One whose answer was lost, so that a client sent it again, is refused like another's.
        """
        token, holder = self._read()
        if holder is None or not self._is_own(holder):
            raise refused(holder) from error
        self._token = token

    def _held(self, holder: Lease | None) -> ConflictError:
        who, hint = "it has just ended", "run the same command again"
        if holder:
            who = _name(holder)
            hint = (
                "wait until it ends; if it was killed, "
                f"its lock ends by itself at {holder.expires:%Y-%m-%d %H:%M:%S} UTC"
            )
        return ConflictError(
            f"another release of this model is running: {who}", where=self._where, hint=hint
        )

    def _lost(self, holder: Lease | None) -> ConflictError:
        by = f"another release has taken the lock over: {_name(holder)}" if holder else "it is gone"
        return ConflictError(
            f"this release has lost its lock: {by}",
            where=self._where,
            hint="it was suspended, or cut off from the bucket, for too long; see what the other "
            "one does with `cloudserve history`",
        )


def holder_of(blobs: BlobStore, key: str) -> Lease | None:
    """Read the holder of the lock at `key`; None if it is free, or the object is not a lock."""
    stored = blobs.read(key)
    return _decode(stored[0]) if stored else None


def is_left(holder: Lease, clock: Clock = now) -> bool:
    """Return whether a lock may be taken over: its time is up, or its process here was killed."""
    return holder.expires < clock() or _is_dead(holder)


@contextmanager
def lock(
    blobs: BlobStore,
    key: str,
    *,
    release: str,
    who: str,
    clock: Clock = now,
    term: timedelta = LEASE,
) -> Iterator[Lock]:
    """Hold the lock at `key`, and renew it in the meantime; `term` is how long a lease is.

    Raises ConflictError that names the holder when it is taken.
    """
    pid, host = os.getpid(), socket.gethostname()
    lease = Lease(release, who, host, pid, birth(pid), clock() + term, machine())
    held = Lock(blobs, key, lease, term, clock)
    ended = threading.Event()
    try:
        held.acquire()
        every = term.total_seconds() / RENEWALS
        # A daemon: a thread that waits for a bucket must not keep the process alive.
        threading.Thread(
            target=_keep, args=(held, ended, every), name="release-lock", daemon=True
        ).start()
        yield held
    finally:
        # Also when it was interrupted while it asked: the lock may be there all the same.
        try:
            ended.set()
            held.release()
        except KeyboardInterrupt:  # a second try: what is left keeps other machines out for a while
            held.release()
            raise


def _keep(held: Lock, ended: threading.Event, every: float) -> None:
    while not ended.wait(every):
        try:
            held.renew()
        except ConflictError:
            return  # the release stops before its next action
        except CloudserveError as error:
            logger.warning("the lock could not be renewed: %s", error)


def _name(holder: Lease) -> str:
    return f"{holder.who}, process {holder.pid} on {holder.host}"


def _decode(data: bytes) -> Lease | None:
    try:
        return msgspec.json.decode(data, type=Lease)
    except msgspec.DecodeError:
        return None


def _is_dead(holder: Lease) -> bool:
    """Return whether a process of this machine is gone, also where a later one has its number."""
    if (holder.host, holder.machine) != (socket.gethostname(), machine()):
        return False
    return birth(holder.pid) not in {holder.boot, ALIVE}


ALIVE = "alive"
"""The start time of a live process whose start time cannot be read."""
DEAD = ("Z", "X")
"""States of a process that has ended, and that its parent has not asked about yet."""


def machine() -> str:
    """Return the kernel's boot id and the process namespace, or "" where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def birth(pid: int) -> str:
    """Return what tells a process from a later one with its number, or "" when it is gone.

    ALIVE if it cannot be read (no /proc, or processes of other users are hidden).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return _alive(pid)
    fields = stat.rpartition(")")[2].split()  # proc(5), from field 3: the state
    return "" if fields[0] in DEAD else fields[19]  # field 22: the start time


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return ALIVE
    return ALIVE
