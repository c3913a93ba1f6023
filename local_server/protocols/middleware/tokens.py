"""Bearer tokens that requests must show, from a file that may be rotated while the server runs.

RFC 6750 2.1. Kept are the tokens' digests alone: nothing here can print a token.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.errors import UserError

_log = logging.getLogger(__name__)

_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_COMMENT = b"#"
_EVERYONE = stat.S_IROTH | stat.S_IWOTH
_MOST_BYTES = 2**20
_LOOK_SECONDS = 1.0

_Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """What a token file held, and which state of the file that was."""

    digests: tuple[bytes, ...] = field(repr=False)
    stamp: _Stamp
    mode: int


class Tokens:
    """The tokens of a file: one a line, empty lines and those that begin with `#` left out.

    The file is looked at once a second at most, when a request comes. One that cannot be used then
    leaves the tokens of before in force, and says so in the log. Replace it by renaming another
    one onto it: a file that is written in place may be read half-way. For one thread.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Read the file. Raises UserError when there is no token to be had from it."""
        self._path = path
        self._now = now
        content = _read(path)
        self._digests = content.digests
        self._stamp = content.stamp
        self._looked = now()
        self._check_mode(content.mode)

    def allow(self, credentials: str | None) -> bool:
        """Say whether an Authorization header's value holds one of the tokens.

        Takes equally long whichever token it is like, and however much.
        """
        self._refresh()
        match = _CREDENTIALS.fullmatch(credentials or "")
        if match is None:
            return False
        shown = _digest(match[1].encode())
        matches = [hmac.compare_digest(shown, each) for each in self._digests]
        return any(matches)

    def _refresh(self) -> None:
        now = self._now()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        stamp = _look(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._replace()

    def _replace(self) -> None:
        try:
            content = _read(self._path)
        except UserError as error:
            _log.error("the tokens of before stay in force: %s: %s", self._path, error.message)
            return
        self._digests = content.digests
        self._stamp = content.stamp
        _log.info("%s is read again; tokens: %d", self._path, len(content.digests))
        self._check_mode(content.mode)

    def _check_mode(self, mode: int) -> None:
        if mode & _EVERYONE:
            _log.warning(
                "%s is open to every user of this machine (mode %03o); chmod o= closes it",
                self._path,
                stat.S_IMODE(mode),
            )


def _read(path: Path) -> _Content:
    """Read a token file; UserErrors do not quote it."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"the token file cannot be read: {error.strerror}",
            where=str(path),
            hint="write one token a line into a file that this user can read",
        ) from error
    return _Content(_parse(text, path), _stamp(status), status.st_mode)


def _parse(text: bytes, path: Path) -> tuple[bytes, ...]:
    if len(text) > _MOST_BYTES:
        raise UserError(f"the token file is larger than {_MOST_BYTES} bytes", where=str(path))
    lines = [line.strip() for line in text.splitlines()]
    tokens = {n: line for n, line in enumerate(lines, 1) if line and not line.startswith(_COMMENT)}
    for number, token in tokens.items():
        if not _TOKEN.fullmatch(token):
            raise UserError(
                f"line {number} of the token file is not a bearer token",
                where=str(path),
                hint="a token is made of letters, digits and -._~+/, with = at its end alone",
            )
    if not tokens:
        raise UserError(
            "the token file has no token in it",
            where=str(path),
            hint="write one token a line, such as `openssl rand -hex 32` makes",
        )
    return tuple(sorted(map(_digest, tokens.values())))


def _look(path: Path) -> _Stamp:
    """Return the state of a file that is or is not there."""
    try:
        return _stamp(path.stat())
    except OSError as error:
        return (error.errno or 0,)


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
