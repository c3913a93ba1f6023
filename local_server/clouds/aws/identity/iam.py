"""IAM: roles and their policies, and simulations. Users, groups and own policies are refused.

The texts of refusals are those of users' reports (NoSuchEntity: jarpy/lambkin#3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from ....transport.types import Head
from ...resources import Document
from ..permissions.access import CALLER, Access
from ..permissions.policy import Need, Rule, Verdict, decide
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError
from ..protocol.query_app import Handler, QueryApp
from .roles import (
    Roles,
    check_attachable,
    check_document,
    missing,
    role_name,
    rules_of,
    shown_role,
)
from .trust import check_trust

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_DECISIONS = {
    Verdict.ALLOWED: "allowed",
    Verdict.NOT_ALLOWED: "implicitDeny",
    Verdict.DENIED: "explicitDeny",
}
_NOT_OFFLINE = ("PolicyInputList", "PermissionsBoundaryPolicyInputList", "ResourcePolicy")
OPERATIONS = (
    "AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePolicy", "DetachRolePolicy",
    "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies", "ListRoles",
    "PutRolePolicy", "SimulatePrincipalPolicy", "UpdateAssumeRolePolicy",
)  # fmt: skip
"""The available operations."""
Operation = Callable[[Document], Document | None]


class Iam:
    """The operations on roles."""

    def __init__(self, roles: Roles, access: Access) -> None:
        self._roles = roles
        self._access = access

    def app(self) -> QueryApp:
        """Return the service's HTTP application."""
        operations: Mapping[str, Operation] = MappingProxyType(
            {
                "CreateRole": lambda body: {"Role": shown_role(self._roles.create(body))},
                "GetRole": lambda body: {"Role": shown_role(self._roles.get(body["RoleName"]))},
                "ListRoles": self.list_roles,
                "DeleteRole": lambda body: self._roles.delete(body["RoleName"]),
                "UpdateAssumeRolePolicy": self.update_trust,
                "AttachRolePolicy": self.attach,
                "DetachRolePolicy": self.detach,
                "ListAttachedRolePolicies": self.list_attached,
                "PutRolePolicy": self.put_policy,
                "GetRolePolicy": self.get_policy,
                "DeleteRolePolicy": self.delete_policy,
                "ListRolePolicies": self.list_policies,
                "SimulatePrincipalPolicy": self.simulate,
            }
        )
        handlers = {name: self._checked(name, operations[name]) for name in OPERATIONS}
        return QueryApp("iam", NAMESPACE, handlers)

    def _checked(self, name: str, run: Operation) -> Handler:
        def handler(head: Head, body: Document) -> Document | None:
            role = f"arn:aws:iam::{ACCOUNT}:role/{body.get('RoleName', '')}"
            needs = [Need(f"iam:{name}", role if "RoleName" in body else "*")]
            self._access.check(head, needs, "AccessDenied")
            return run(body)

        return handler

    def list_roles(self, body: Document) -> Document:
        """Return all roles below a path, in one page."""
        prefix = body.get("PathPrefix", "/")
        roles = [shown_role(role) for role in self._roles.all() if role["Path"].startswith(prefix)]
        return {"Roles": roles, "IsTruncated": False}

    def update_trust(self, body: Document) -> None:
        """Replace a role's trust policy."""
        check_trust(body["PolicyDocument"])
        self._roles.change(body["RoleName"], AssumeRolePolicyDocument=body["PolicyDocument"])

    def attach(self, body: Document) -> None:
        """Attach a managed policy of AWS."""
        check_attachable(body["PolicyArn"])
        attached: list[str] = self._roles.get(body["RoleName"])["_attached"]
        kept = [arn for arn in attached if arn != body["PolicyArn"]]
        self._roles.change(body["RoleName"], _attached=[*kept, body["PolicyArn"]])

    def detach(self, body: Document) -> None:
        """Detach a managed policy; raises AwsError if it is not attached."""
        name, arn = body["RoleName"], body["PolicyArn"]
        attached: list[str] = self._roles.get(name)["_attached"]
        if arn not in attached:
            raise missing(f"Policy {arn} was not found.")
        self._roles.change(name, _attached=[each for each in attached if each != arn])

    def list_attached(self, body: Document) -> Document:
        """Return the managed policies of a role."""
        attached: list[str] = self._roles.get(body["RoleName"])["_attached"]
        policies = [{"PolicyName": role_name(arn), "PolicyArn": arn} for arn in attached]
        return {"AttachedPolicies": policies, "IsTruncated": False}

    def put_policy(self, body: Document) -> None:
        """Write an inline policy; raises AwsError if it is malformed."""
        check_document(body["PolicyDocument"])
        inline = self._roles.get(body["RoleName"])["_inline"]
        inline |= {body["PolicyName"]: body["PolicyDocument"]}
        self._roles.change(body["RoleName"], _inline=inline)

    def get_policy(self, body: Document) -> Document:
        """Return an inline policy."""
        text = self._inline(body)[body["PolicyName"]]
        fields = {key: body[key] for key in ("RoleName", "PolicyName")}
        return fields | {"PolicyDocument": quote(text, safe="")}

    def delete_policy(self, body: Document) -> None:
        """Delete an inline policy."""
        inline = self._inline(body)
        left = {name: text for name, text in inline.items() if name != body["PolicyName"]}
        self._roles.change(body["RoleName"], _inline=left)

    def _inline(self, body: Document) -> Mapping[str, str]:
        inline: Mapping[str, str] = self._roles.get(body["RoleName"])["_inline"]
        if body["PolicyName"] not in inline:
            raise missing(f"The role policy with name {body['PolicyName']} cannot be found.")
        return inline

    def list_policies(self, body: Document) -> Document:
        """Return the names of a role's inline policies."""
        names = sorted(self._roles.get(body["RoleName"])["_inline"])
        return {"PolicyNames": names, "IsTruncated": False}

    def simulate(self, body: Document) -> Document:
        """Decide on actions of a role, or of the account's user."""
        for member in _NOT_OFFLINE:
            if member in body:
                raise AwsError("InvalidInput", f"{member} is not available offline.")
        rules, context = self._rules(body["PolicySourceArn"]), _context(body)
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": _DECISIONS[decide(rules, Need(action, resource, context))],
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action in body["ActionNames"]
            for resource in body.get("ResourceArns", ["*"])
        ]
        return {"EvaluationResults": results, "IsTruncated": False}

    def _rules(self, arn: str) -> Sequence[Rule]:
        if arn == CALLER:
            return self._access.rules
        if ":role/" not in arn:
            raise missing(f"The principal {arn} cannot be found.")
        rules = rules_of(self._roles.get(role_name(arn)))
        if rules is None:
            raise AwsError("InvalidInput", f"A managed policy of {arn} is not available offline.")
        return rules


def _context(body: Document) -> dict[str, str]:
    entries: list[dict[str, Any]] = body.get("ContextEntries", [])
    return {
        entry["ContextKeyName"].lower(): entry["ContextKeyValues"][0]
        for entry in entries
        if entry.get("ContextKeyValues")
    }
