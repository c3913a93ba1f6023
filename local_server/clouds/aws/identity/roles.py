"""The offline account's roles: their trust policies, inline and attached policies.

Documents of AWS's managed policies: those that concern models, from "AWS managed policy reference";
of AmazonSageMakerFullAccess the part about S3, without conditions on tags of objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ...resources import Document, Resources
from ..permissions.policy import EVERYTHING, Need, Rule, Verdict, decide, read_policy
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError
from .trust import SERVICE as A_SERVICE
from .trust import check_trust, malformed, trusts

SERVICE = "sagemaker.amazonaws.com"
_KIND = "aws/iam-role"
_MANAGED = "arn:aws:iam::aws:policy/"
_NOT_OFFLINE = ("PermissionsBoundary", "MaxSigninSessionDuration")
_SAGEMAKER_BUCKETS = [f"arn:aws:s3:::*{word}*" for word in ("SageMaker", "Sagemaker", "sagemaker")]


def _allowing(actions: Sequence[str], resources: Sequence[str] = ("*",)) -> tuple[Rule, ...]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return read_policy({"Version": "2012-10-17", "Statement": statement})


_KNOWN: Mapping[str, tuple[Rule, ...]] = {
    f"{_MANAGED}AdministratorAccess": (EVERYTHING,),
    f"{_MANAGED}AmazonS3FullAccess": _allowing(["s3:*"]),
    f"{_MANAGED}AmazonS3ReadOnlyAccess": _allowing(["s3:Get*", "s3:List*", "s3:Describe*"]),
    f"{_MANAGED}AmazonSageMakerFullAccess": (
        *_allowing(["sagemaker:*", "cloudwatch:*", "logs:*", "application-autoscaling:*"]),
        *_allowing(["s3:CreateBucket", "s3:GetBucketLocation", "s3:ListBucket"]),
        *_allowing(["s3:ListAllMyBuckets"]),
        *_allowing(
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            [*_SAGEMAKER_BUCKETS, "arn:aws:s3:::*aws-glue*"],
        ),
    ),
}


class Roles:
    """Reads and writes the roles by name."""

    def __init__(self, resources: Resources, now: Callable[[], float]) -> None:
        self._resources = resources
        self._now = now

    def create(self, body: Document) -> Document:
        """Create a role; raises AwsError if it exists or its trust policy is malformed.

        Names are not distinguished by case (API reference, `CreateRole`: you cannot create
        "MyResource" and "myresource").
        """
        name = body["RoleName"]
        for field in _NOT_OFFLINE:
            if field in body:
                raise AwsError("InvalidInput", f"{field} is not available offline.")
        check_trust(body["AssumeRolePolicyDocument"])
        stored = self._new(body)
        same = next((role for role in self.all() if role["RoleName"].lower() == name.lower()), None)
        if same is not None or not self._resources.create(_KIND, name, stored):
            text = f"Role with name {name} already exists."
            raise AwsError("EntityAlreadyExists", text, HTTPStatus.CONFLICT)
        return stored

    def replace(self, body: Document, inline: Mapping[str, str]) -> None:
        """Create a role with inline policies; replace one of this name, whatever it has."""
        self._resources.put(_KIND, body["RoleName"], self._new(body) | {"_inline": dict(inline)})

    def _new(self, body: Document) -> Document:
        name, path = body["RoleName"], body.get("Path", "/")
        return {
            "Path": path,
            "RoleName": name,
            "RoleId": f"AROA{name.encode().hex().upper()[:17]:0<17}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:role{path}{name}",
            "CreateDate": self._now(),
            "AssumeRolePolicyDocument": body["AssumeRolePolicyDocument"],
            "MaxSessionDuration": body.get("MaxSessionDuration", 3600),
            **{key: body[key] for key in ("Description", "Tags") if key in body},
            "_inline": {},
            "_attached": [],
        }

    def find(self, name: str) -> Document | None:
        """Return a role, or None."""
        return self._resources.get(_KIND, name)

    def get(self, name: str) -> Document:
        """Return a role; raises AwsError (NoSuchEntity)."""
        role = self.find(name)
        if role is None:
            raise missing(f"The role with name {name} cannot be found.")
        return role

    def all(self) -> list[Document]:
        """Return all roles by name."""
        return [role for _, role in self._resources.list(_KIND)]

    def change(self, name: str, **fields: Any) -> None:
        """Replace fields of a role."""
        self._resources.put(_KIND, name, self.get(name) | fields)

    def delete(self, name: str) -> None:
        """Delete a role; raises AwsError while it has policies."""
        role = self.get(name)
        for what, policies in (("detach all", role["_attached"]), ("delete", role["_inline"])):
            if policies:
                text = f"Cannot delete entity, must {what} policies first."
                raise AwsError("DeleteConflict", text, HTTPStatus.CONFLICT)
        self._resources.delete(_KIND, name)


def missing(message: str) -> AwsError:
    """Return IAM's error for something that does not exist."""
    return AwsError("NoSuchEntity", message, HTTPStatus.NOT_FOUND)


def shown_role(role: Document) -> Document:
    """Return a role as IAM shows it: the policy is URL-encoded (GetRole, "Role")."""
    document = quote(role["AssumeRolePolicyDocument"], safe="")
    fields = {key: value for key, value in role.items() if not key.startswith("_")}
    return fields | {"AssumeRolePolicyDocument": document}


def role_name(arn: str) -> str:
    """Return the name at the end of a role's ARN, or a name as it is."""
    return arn.rpartition("/")[2]


def is_assumable(role: Document, names: Sequence[str] = (SERVICE,), kind: str = A_SERVICE) -> bool:
    """Return whether SageMaker, or another principal by one of its names, may assume a role."""
    return trusts(role["AssumeRolePolicyDocument"], kind, names)


def check_document(text: str) -> None:
    """Raise AwsError (MalformedPolicyDocument) for a policy that IAM, or this account, refuses."""
    try:
        read_policy(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise malformed(str(error)) from error


def check_attachable(arn: str) -> None:
    """Raise AwsError for a policy of the account itself: there are none."""
    if not arn.startswith(_MANAGED):
        raise missing(f"Policy {arn} does not exist or is not attachable.")


def rules_of(role: Document) -> tuple[Rule, ...] | None:
    """Return the statements of a role's policies; None if a managed one is not known here."""
    rules: list[Rule] = []
    for arn in role["_attached"]:
        if arn not in _KNOWN:
            return None
        rules += _KNOWN[arn]
    for text in role["_inline"].values():
        rules += read_policy(json.loads(text))
    return tuple(rules)


def may(role: Document, action: str, resource: str) -> bool:
    """Return whether a role's policies allow an action, or are not known."""
    rules = rules_of(role)
    return rules is None or decide(rules, Need(action, resource)) is Verdict.ALLOWED
