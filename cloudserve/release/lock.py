"""One release of a model at a time: a lock object, created only if it is absent.

The lock is a lease. It is taken over when its time is up, or when it was left by a process of
this host that no longer runs (a killed deploy can be run again at once). Taking over is
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


Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


@contextmanager
def lock(
    blobs: BlobStore, key: str, *, release: str, who: str, clock: Clock = now
) -> Iterator[None]:
    """Hold the lock at `key`; raises ConflictError that names the holder when it is taken."""
    host = socket.gethostname()
    lease = Lease(release, who, host, os.getpid(), _boot(os.getpid()), clock() + LEASE)
    token = _acquire(blobs, key, lease, clock)
    try:
        yield
    finally:
        _release(blobs, key, token)


def _acquire(blobs: BlobStore, key: str, lease: Lease, clock: Clock) -> str:
    data = msgspec.json.encode(lease)
    found = blobs.read(key)
    if found is None:
        try:
            return blobs.write(key, data, Expect.ABSENT)
        except ConflictError:  # somebody else was first: tell who
            found = blobs.read(key)
    holder = _decode(found[0]) if found else None
    if found and (holder is None or holder.expires < clock() or _left_behind(holder, lease.host)):
        return blobs.write(key, data, found[1])
    who = f"{holder.who}, process {holder.pid}" if holder else "it has just ended"
    until = f"{holder.expires:%Y-%m-%d %H:%M} UTC" if holder else "now"
    raise ConflictError(
        f"another release of this model is running: {who}",
        where=f"{blobs.url}/{key}",
        hint=f"wait for it; its lock ends by itself at {until}",
    )


def _release(blobs: BlobStore, key: str, token: str) -> None:
    # Whatever ended the release must reach the user, so a failure here is only logged.
    try:
        found = blobs.read(key)
        if found is not None and found[1] == token:
            blobs.delete(key)
    except CloudserveError as error:
        log.warning("the lock %s/%s stays until it expires: %s", blobs.url, key, error)


def _decode(data: bytes) -> Lease | None:
    try:
        return msgspec.json.decode(data, type=Lease)
    except msgspec.DecodeError:
        return None


def _left_behind(holder: Lease, host: str) -> bool:
    return holder.host == host and _boot(holder.pid) != holder.boot


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
