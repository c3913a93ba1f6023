"""Bearer tokens (RFC 6750 2.1) from a file, which may be rotated while the server runs.

Only the digests of the tokens are kept, so that nothing here can print a token.
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
from pathlib import Path

from cloudserve.errors import UserError

from ...reloaded_file import ReloadedFile

logger = logging.getLogger(__name__)

_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_COMMENT = b"#"
_EVERYONE = stat.S_IROTH | stat.S_IWOTH
_MOST_BYTES = 2**20


class Tokens:
    """The tokens of a file, read again when it changes.

    One token a line; empty lines and lines that begin with `#` are ignored.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Read the file. Raises UserError if the file holds no valid token."""
        self._digests = ReloadedFile(path, "tokens", _read, now)

    def allow(self, credentials: str | None) -> bool:
        """Return whether an Authorization header's value holds one of the tokens.

        The time does not depend on which token it resembles, or how closely.
        """
        match = _CREDENTIALS.fullmatch(credentials or "")
        if match is None:
            return False
        shown = _digest(match[1].encode())
        matches = [hmac.compare_digest(shown, each) for each in self._digests.current()]
        return any(matches)


def _read(path: Path) -> tuple[bytes, ...]:
    """Return the digests of a file's tokens; UserErrors do not quote the file."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"the token file cannot be read: {error.strerror}",
            where=str(path),
            hint="write one token a line into a file that this user can read",
        ) from error
    digests = _parse(text, path)
    if mode & _EVERYONE:
        logger.warning(
            "%s is open to every user of this machine (mode %03o); chmod o= closes it",
            path,
            stat.S_IMODE(mode),
        )
    return digests


def _parse(text: bytes, path: Path) -> tuple[bytes, ...]:
    if len(text) > _MOST_BYTES:
        raise UserError(
            f"the token file is larger than {_MOST_BYTES} bytes",
            where=str(path),
            hint="give a file with one token per line",
        )
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


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
