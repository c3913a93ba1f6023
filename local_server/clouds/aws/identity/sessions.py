"""Temporary credentials: the sessions of assumed roles, by access key. They do not expire."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...resources import Document, Resources
from ..permissions.access import CALLER, Caller
from ..permissions.policy import EVERYTHING
from ..protocol.arns import ACCOUNT
from .roles import Roles, role_name, rules_of

_KIND = "aws/session"
_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a new session."""

    access: str
    secret: str
    token: str


class Sessions:
    """Starts and finds sessions."""

    def __init__(self, resources: Resources, roles: Roles) -> None:
        self._resources = resources
        self._roles = roles

    def start(self, arn: str, role: str = "") -> Keys:
        """Start a session of a principal; of a role if it is named, else of the account's user."""
        access = "ASIA" + "".join(secrets.choice(_LETTERS) for _ in range(16))
        keys = Keys(access, secrets.token_urlsafe(30), secrets.token_urlsafe(60))
        self.keep(keys, arn, role)
        return keys

    def keep(self, keys: Keys, arn: str, role: str) -> None:
        """Write the session of given keys, whose access key begins with ASIA."""
        stored = {"arn": arn, "role": role, "secret": keys.secret}
        self._resources.put(_KIND, keys.access, stored)

    def caller(self, access_key: str) -> Caller | None:
        """Return the holder of a session's access key; None for the account's user."""
        session = self.find(access_key)
        if session is None or not session["role"]:
            return None
        role = self._roles.find(role_name(session["role"]))
        rules = rules_of(role) if role is not None else ()
        return Caller(session["arn"], (EVERYTHING,) if rules is None else rules)

    def find(self, access_key: str) -> Document | None:
        """Return a session, or None."""
        if not access_key.startswith("ASIA"):
            return None
        return self._resources.get(_KIND, access_key)

    def arn(self, access_key: str) -> str:
        """Return the ARN of the holder of an access key."""
        session = self.find(access_key)
        return str(session["arn"]) if session else CALLER


class SessionKeys(Mapping[str, str]):
    """Secrets by access key: constant ones, and those of sessions."""

    def __init__(self, keys: Mapping[str, str], sessions: Sessions) -> None:
        self._keys = keys
        self._sessions = sessions

    def __getitem__(self, key: str) -> str:
        """Return a secret; raises KeyError."""
        session = self._sessions.find(key)
        return str(session["secret"]) if session else self._keys[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the constant keys."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Return the number of constant keys."""
        return len(self._keys)


def session_arn(role: str, session: str) -> str:
    """Return the ARN of a role's session."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name(role)}/{session}"
