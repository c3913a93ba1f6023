"""The files of last known states, one for each model, target, environment and account.

They are in the user's state folder, by the XDG Base Directory rules, below the digest of the
project file's path. A file is replaced atomically, and only its owner may read it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec

from cloudserve._version import __version__
from cloudserve.files import replace_atomically
from cloudserve.known.sealing import Sealed, seal

logger = logging.getLogger(__name__)
SCHEMA = 1
TOOL = f"cloudserve {__version__}"
"""Answers have the forms of the adapters of this version."""
SEALED = 1
"""The type of MessagePack extensions that are sealed values."""
LARGEST = 64 << 20
"""The bytes of the largest object that is kept."""
KEPT_SECONDS = 400 * 86400
DRAFT_SECONDS = 3600
"""The age of a draft whose writer was killed."""
SALT_BYTES = 16


class KnownState(msgspec.Struct, frozen=True):
    """The answers of a target's services about one model, and the time before the first of them."""

    model: str
    target: str
    environment: str
    place: Mapping[str, str]
    """The destination of the calls, by the names of its fields."""
    since: datetime
    answers: Mapping[str, Any]
    salt: bytes = b""
    schema: int = SCHEMA
    tool: str = TOOL


class KnownStates:
    """The states of one project file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of_project(cls, project_file: Path, environ: Mapping[str, str]) -> Self | None:
        """Return the states of a project file; None without a home."""
        xdg, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
        base = Path(xdg) if xdg.startswith("/") else Path(home, ".local/state") if home else None
        if base is None:
            return None
        name = hashlib.sha256(os.fsencode(project_file.resolve())).hexdigest()
        return cls(base / "cloudserve" / "known" / name)

    def save(self, state: KnownState) -> None:
        """Store a state, replacing that of the same account; raises OSError.

        Values of environment variables are sealed, and objects above 64 MiB are not kept.
        """
        salt = secrets.token_bytes(SALT_BYTES)
        kept = {question: seal(each, salt) for question, each in state.answers.items()}
        small = {question: each for question, each in kept.items() if not _is_large(each)}
        content = msgspec.structs.replace(state, answers=small, salt=salt)
        path = self._path(state)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_atomically(path, msgspec.msgpack.encode(content, enc_hook=_encode), 0o600)
        self._forget_old()

    def load(self, model: str, target: str, environment: str) -> Iterator[KnownState]:
        """Yield the states of a model on a target, of all accounts; unreadable ones are ignored."""
        for path in sorted(self._of_target(target, environment).glob(f"{_safe(model)}.*.state")):
            try:
                yield _decode(path.read_bytes())
            except (OSError, msgspec.DecodeError) as error:
                logger.info("this last known state is left out: %s: %s", path, error)

    def _path(self, state: KnownState) -> Path:
        place = msgspec.json.encode(_account(state.place), order="sorted")
        account = hashlib.sha256(place).hexdigest()[:16]
        folder = self._of_target(state.target, state.environment)
        return folder / f"{_safe(state.model)}.{account}.state"

    def _of_target(self, target: str, environment: str) -> Path:
        return self._folder / f"{_safe(target)}@{_safe(environment)}"

    def _forget_old(self) -> None:
        for names, seconds in (("*.state", KEPT_SECONDS), (".*.state.*", DRAFT_SECONDS)):
            oldest = time.time() - seconds
            for path in self._folder.glob(f"*/{names}"):
                with suppress(FileNotFoundError):  # another command has replaced or removed it
                    if path.stat().st_mtime < oldest:
                        path.unlink()


def _account(place: Mapping[str, str]) -> dict[str, str]:
    """Return what tells accounts apart: not the caller's name, nor the offline clouds' port."""
    names = ("cloud", "account", "region", "credentials")
    return {name: place.get(name, "") for name in (*names, "is_offline")}


def _is_large(answer: Any) -> bool:
    return isinstance(answer, list) and any(
        isinstance(each, bytes) and len(each) > LARGEST for each in answer
    )


def _safe(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E")


def _encode(value: Any) -> Any:
    if isinstance(value, Sealed):
        return msgspec.msgpack.Ext(SEALED, value.digest)
    raise TypeError(f"an answer holds a {type(value).__name__}")


def _decode(data: bytes) -> KnownState:
    header = msgspec.msgpack.decode(data, type=_Header)
    if (header.schema, header.tool) != (SCHEMA, TOOL):
        raise msgspec.ValidationError(f"it is of {header.tool or 'another version'}")

    def sealed(code: int, content: memoryview) -> Any:
        del code
        return Sealed(header.salt, bytes(content))

    return msgspec.msgpack.decode(data, type=KnownState, ext_hook=sealed)


class _Header(msgspec.Struct, frozen=True):
    """The part of a state that is read before its answers."""

    schema: int
    salt: bytes
    tool: str = ""
