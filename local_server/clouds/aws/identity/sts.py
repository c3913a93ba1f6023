"""STS: GetCallerIdentity, AssumeRole, GetSessionToken.

A role is assumed if its trust policy lets the caller. The answer to a role that does not exist is
the same as to one that does not trust the caller, as in the service. The texts of refusals are
those of users' reports (GetSessionToken: aws/aws-sdk-net#1704; AssumeRole in a session:
mmmorris1975/aws-runas#11).
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
from .trust import AWS

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
        # AssumeRoleWithWebIdentity, which is refused by name, has a token and no signature.
        return QueryApp("sts", NAMESPACE, handlers, takes_unsigned=True)

    def identity(self, head: Head, _: Document) -> Document:
        """Return the caller, which needs no permission."""
        arn, role = self._sessions.arn(access_key(head)), self._role(head)
        name = role_name(arn)
        user = "CLOUDSERVE" if ":user/" in arn else f"{role['RoleId'] if role else 'AROA'}:{name}"
        return {"Arn": arn, "UserId": user, "Account": ACCOUNT}

    def assume(self, head: Head, body: Document) -> Document:
        """Start a session of a role; raises AwsError (AccessDenied)."""
        _check_members(body)
        arn, caller = body["RoleArn"], self._sessions.arn(access_key(head))
        self._access.check(head, [Need("sts:AssumeRole", arn)], "AccessDenied")
        role = self._roles.find(role_name(arn))
        names = (*self._names(head), f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
        if role is None or not is_assumable(role, names, AWS):
            text = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise AwsError("AccessDenied", text, HTTPStatus.FORBIDDEN)
        self._check_duration(head, role, body.get("DurationSeconds", _HOUR))
        session = session_arn(arn, body["RoleSessionName"])
        keys = self._sessions.start(session, role["RoleName"])
        user = {"AssumedRoleId": f"{role['RoleId']}:{body['RoleSessionName']}", "Arn": session}
        return {"Credentials": self._shown(keys, body), "AssumedRoleUser": user}

    def _names(self, head: Head) -> list[str]:
        """Return the names of the caller in trust policies: a session's, and that of its role."""
        role = self._role(head)
        return [self._sessions.arn(access_key(head)), *([role["Arn"]] if role else [])]

    def _role(self, head: Head) -> Document | None:
        """Return the role of the caller's session, unless it was deleted; None for the user."""
        session = self._sessions.find(access_key(head))
        return self._roles.find(session["role"]) if session else None

    def _check_duration(self, head: Head, role: Document, seconds: int) -> None:
        limit = "MaxSessionDuration set for this role."
        if self._sessions.find(access_key(head)) and seconds > _HOUR:
            limit = "1 hour session limit for roles assumed by role chaining."
        elif seconds <= role["MaxSessionDuration"]:
            return
        raise AwsError("ValidationError", f"The requested DurationSeconds exceeds the {limit}")

    def token(self, head: Head, body: Document) -> Document:
        """Start a session of the account's user; raises AwsError (AccessDenied) in a session."""
        _check_members(body)
        if self._sessions.find(access_key(head)):
            text = "Cannot call GetSessionToken with session credentials"
            raise AwsError("AccessDenied", text, HTTPStatus.FORBIDDEN)
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
