"""The caller's permissions from `emulate --deny` and `--policy`.

Without them, the caller may do everything. With policies, it may do what they allow, on AWS.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path

import msgspec

from cloudserve.errors import MissingExtraError, UserError

from .aws.identity.iam import OPERATIONS
from .aws.permissions.access import Access
from .aws.permissions.policy import document, is_action, names_action, read_policy
from .google.common.permissions import IMPERSONATE, OBSERVABILITY, VERTEX, Denied
from .objects.gcs.callers.permissions import PERMISSIONS as GCS
from .objects.s3.callers.permissions import ACTIONS as S3
from .pointing import CONTAINER_KEY

_OF_MODELS = {
    "application-autoscaling": "application-autoscaling",
    "cloudwatch": "cloudwatch",
    "ecr": "ecr",
    "logs": "logs",
    "sagemaker": "sagemaker",
    "sagemaker-runtime": "sagemaker",
    "service-quotas": "servicequotas",
}
"""The prefix of a service's actions, by its name in botocore."""
_OF_IDENTITIES = ("iam:PassRole", "sts:AssumeRole", *(f"iam:{name}" for name in OPERATIONS))


@dataclass(frozen=True, slots=True)
class Permissions:
    """What callers may do on AWS, and what they may not do on Google Cloud."""

    aws: Access
    google: Denied
    documents: Mapping[str, str] = field(default_factory=dict)
    """The policy documents that `aws` is made of, by the names that a role has them under."""


def read_permissions(denied: Iterable[str], policies: Sequence[Path]) -> Permissions:
    """Return the permissions of options; raises UserError for an unknown name, a bad policy."""
    names = [name.strip() for text in denied for name in text.split(",")]
    for name in names:
        _check_name(name)
    documents = {f"policy-{number}": _load(path) for number, path in enumerate(policies, 1)}
    if not documents:
        documents["everything"] = json.dumps(document("Allow", ["*"]))
    actions = [name for name in names if ":" in name]
    if actions:
        documents["denied"] = json.dumps(document("Deny", actions))
    rules = [rule for text in documents.values() for rule in read_policy(json.loads(text))]
    google = tuple(name for name in names if ":" not in name)
    return Permissions(Access(rules, frozenset({CONTAINER_KEY})), Denied(google), documents)


def _check_name(name: str) -> None:
    """Raise UserError for a name that matches nothing that the offline clouds check."""
    is_aws = ":" in name
    known = _aws_actions() if is_aws else _google_permissions()
    matches = partial(_denies, name) if is_aws else partial(_covers, name)
    if any(map(matches, known)):
        return
    close = difflib.get_close_matches(name, known, n=1)
    what = "an action" if is_aws else "a permission"
    form = "SERVICE:ACTION (AWS), or SERVICE.RESOURCE.VERB (Google Cloud)"
    hint = f"did you mean `{close[0]}`?" if close else f"name it as {form}"
    raise UserError(f"`{name}` is not {what} that the offline clouds check", hint=hint)


def _denies(name: str, action: str) -> bool:
    return is_action(name) and names_action([name], action)


def _covers(name: str, permission: str) -> bool:
    return fnmatchcase(permission, name)


@cache
def _aws_actions() -> frozenset[str]:
    """Return the actions whose denial has an effect; reads botocore's models once.

    Raises MissingExtraError without botocore.
    """
    try:
        from botocore.loaders import Loader
    except ModuleNotFoundError as error:
        raise MissingExtraError("--deny of an action of AWS", "aws") from error
    loader = Loader()
    return S3 | {
        *_OF_IDENTITIES,
        *(
            f"{prefix}:{operation}"
            for service, prefix in _OF_MODELS.items()
            for operation in loader.load_service_model(service, "service-2")["operations"]
        ),
    }


def _google_permissions() -> frozenset[str]:
    return frozenset({*VERTEX.values(), *OBSERVABILITY.values(), *GCS, IMPERSONATE})


def _load(path: Path) -> str:
    """Return the text of a policy; raises UserError unless it is one."""
    try:
        content = path.read_bytes()
        read_policy(msgspec.json.decode(content))
        return content.decode()
    except OSError as error:
        message = f"the policy cannot be read: {error.strerror}"
        raise UserError(
            message, where=str(path), hint="give a JSON file that you may read"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"invalid IAM policy: {error}",
            where=str(path),
            hint="give a policy document of IAM: `Version` and a list of `Statement`",
        ) from error
