"""STS: GetCallerIdentity, AssumeRole, GetSessionToken.

A role is assumed if its trust policy lets the caller. The answer to a role that does not exist is
the same as to one that does not trust the caller, as in the service.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from ....transport.types import Head
from ...resources import Document
from ..permissions.access import Access
from ..permissions.policy import Need
from ..protocol.arns import ACCOUNT, access_key
from ..protocol.errors import AwsError
from ..protocol.query_app import QueryApp
from .roles import Roles, is_assumable, role_name
from .sessions import Keys, Sessions, session_arn

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_HOUR = 3600
_NOT_OFFLINE = ("Policy", "PolicyArns", "SerialNumber", "ProvidedContexts")


class Sts:
    """The operations on sessions."""

    def __init__(
        self, roles: Roles, sessions: Sessions, access: Access, now: Callable[[], float]
    ) -> None:
        self._roles = roles
        self._sessions = sessions
        self._access = access
        self._now = now

    def app(self) -> QueryApp:
        """Return the service's HTTP application."""
        handlers = {
            "GetCallerIdentity": self.identity,
            "AssumeRole": self.assume,
            "GetSessionToken": self.token,
        }
        return QueryApp("sts", NAMESPACE, handlers)

    def identity(self, head: Head, _: Document) -> Document:
        """Return the caller, which needs no permission."""
        arn = self._sessions.arn(access_key(head))
        user = "CLOUDSERVE" if ":user/" in arn else f"AROACLOUDSERVE:{role_name(arn)}"
        return {"Arn": arn, "UserId": user, "Account": ACCOUNT}

    def assume(self, head: Head, body: Document) -> Document:
        """Start a session of a role; raises AwsError (AccessDenied)."""
        _check_members(body)
        arn, caller = body["RoleArn"], self._sessions.arn(access_key(head))
        self._access.check(head, [Need("sts:AssumeRole", arn)], "AccessDenied")
        role = self._roles.find(role_name(arn))
        names = (caller, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
        if role is None or not is_assumable(role, names):
            text = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise AwsError("AccessDenied", text, HTTPStatus.FORBIDDEN)
        session = session_arn(arn, body["RoleSessionName"])
        keys = self._sessions.start(session, role["RoleName"])
        user = {"AssumedRoleId": f"{role['RoleId']}:{body['RoleSessionName']}", "Arn": session}
        return {"Credentials": self._shown(keys, body), "AssumedRoleUser": user}

    def token(self, head: Head, body: Document) -> Document:
        """Start a session of the account's user."""
        _check_members(body)
        keys = self._sessions.start(self._sessions.arn(access_key(head)))
        return {"Credentials": self._shown(keys, body)}

    def _shown(self, keys: Keys, body: Document) -> Document:
        return {
            "AccessKeyId": keys.access,
            "SecretAccessKey": keys.secret,
            "SessionToken": keys.token,
            "Expiration": self._now() + body.get("DurationSeconds", _HOUR),
        }


def _check_members(body: Document) -> None:
    for member in _NOT_OFFLINE:
        if member in body:
            raise AwsError("ValidationError", f"{member} is not available offline.")
