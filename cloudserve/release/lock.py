"""One release of a model at a time: a lock object, created only if it is absent.

The lock is a lease. It is taken over when its time is up, or when it was left by a process of
this machine that no longer runs (a killed deploy can be run again at once). Taking over is
conditional on the token that was read, so that of two who try only one succeeds.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from cloudserve.errors import CloudserveError, ConflictError
from cloudserve.release.provider import BlobStore, Expect

LEASE = timedelta(hours=2)
log = logging.getLogger(__name__)


class Lease(msgspec.Struct, frozen=True):
    """Who holds the lock, and until when."""

    release: str
    who: str
    host: str
    pid: int
    boot: str
    expires: datetime
    machine: str = ""
    """What tells machines and containers apart that share a host name."""


Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


@contextmanager
def lock(
    blobs: BlobStore, key: str, *, release: str, who: str, clock: Clock = now
) -> Iterator[None]:
    """Hold the lock at `key`; raises ConflictError that names the holder when it is taken."""
    pid, host = os.getpid(), socket.gethostname()
    lease = Lease(release, who, host, pid, _boot(pid), clock() + LEASE, _machine())
    try:
        _acquire(blobs, key, lease, clock)
        yield
    finally:
        # Also when it was interrupted while it asked: the lock may be there all the same.
        try:
            _release(blobs, key, release)
        except KeyboardInterrupt:  # a second try: what is left keeps other machines out for hours
            _release(blobs, key, release)
            raise


def _acquire(blobs: BlobStore, key: str, lease: Lease, clock: Clock) -> None:
    found = blobs.read(key)
    holder = _decode(found[0]) if found else None
    if holder and holder.expires >= clock() and not _left_behind(holder, lease):
        raise _held(blobs, key, holder)
    try:
        blobs.write(key, msgspec.json.encode(lease), found[1] if found else Expect.ABSENT)
    except ConflictError as error:  # somebody else was first: tell who
        found = blobs.read(key)
        raise _held(blobs, key, _decode(found[0]) if found else None) from error


def _held(blobs: BlobStore, key: str, holder: Lease | None) -> ConflictError:
    who, hint = "it has just ended", "run the same command again"
    if holder:
        who = f"{holder.who}, process {holder.pid} on {holder.host}"
        hint = f"wait for it; its lock ends by itself at {holder.expires:%Y-%m-%d %H:%M} UTC"
    return ConflictError(
        f"another release of this model is running: {who}", where=f"{blobs.url}/{key}", hint=hint
    )


def _release(blobs: BlobStore, key: str, release: str) -> None:
    # Whatever ended the release must reach the user, so a failure here is only logged.
    try:
        found = blobs.read(key)
        holder = _decode(found[0]) if found else None
        if holder and holder.release == release:
            blobs.delete(key)
    except CloudserveError as error:
        log.warning("the lock %s/%s may stay until it expires: %s", blobs.url, key, error)


def _decode(data: bytes) -> Lease | None:
    try:
        return msgspec.json.decode(data, type=Lease)
    except msgspec.DecodeError:
        return None


def _left_behind(holder: Lease, own: Lease) -> bool:
    same_machine = (holder.host, holder.machine) == (own.host, own.machine)
    return same_machine and _boot(holder.pid) != holder.boot


def _machine() -> str:
    """Return the kernel's boot id and the process namespace, or "" where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _boot(pid: int) -> str:
    """Return what tells a process from a later one with its number, or "" when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return _alive(pid)
    return stat.rpartition(")")[2].split()[19]  # proc(5): starttime, field 22


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive"
