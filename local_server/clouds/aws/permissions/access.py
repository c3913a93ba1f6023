"""The permissions of the callers of the offline AWS, and the services' words for a refusal.

The texts are those of users' reports: SageMaker "because no identity-based policy allows"
(philschmid/cdk-samples#2; HTTP 400 by aws-samples/sagemaker-custom-project-templates#41), S3 with
the resource in quotation marks (Privado-Inc/privado#573).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from ....transport.types import Head
from ..protocol.arns import ACCOUNT, access_key, region
from ..protocol.errors import AwsError
from .policy import EVERYTHING, REQUESTED_REGION, Need, Rule, Verdict, decide

DENIED = "AccessDeniedException"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/cloudserve"
"""The offline account's user, whom the printed key belongs to."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of temporary credentials, and the statements of its policies."""

    arn: str
    rules: Sequence[Rule]


def _only_the_user(_: str) -> Caller | None:
    return None


@dataclass(frozen=True, slots=True)
class Access:
    """The caller's policies.

    They do not apply to `exempt` access keys: the code in a container has the permissions of a
    model's role.
    """

    rules: Sequence[Rule] = (EVERYTHING,)
    exempt: frozenset[str] = frozenset()
    callers: Callable[[str], Caller | None] = _only_the_user
    """Returns the holder of an access key; None for the account's user, whose policy is `rules`."""

    def check(self, head: Head, needs: Iterable[Need], kind: str = DENIED) -> None:
        """Raise AwsError for the first need that is not allowed; `kind` is the service's code."""
        for need in needs:
            refused = self.refusal(head, need)
            if refused:
                is_query = kind != DENIED
                status = HTTPStatus.FORBIDDEN if is_query else HTTPStatus.BAD_REQUEST
                raise AwsError(kind, refused, status)

    def of_s3(self, head: Head) -> Callable[[str, str], str]:
        """Return the function that returns S3's sentence on an action of a request's caller."""
        context = {REQUESTED_REGION: region(head)}
        return lambda action, resource: self.refusal(
            head, Need(action, resource, context), quoted=True
        )

    def refusal(self, head: Head, need: Need, *, quoted: bool = False) -> str:
        """Return the service's sentence if a need is not allowed; "" if it is."""
        key = access_key(head)
        if key in self.exempt:
            return ""
        caller = self.callers(key) or Caller(CALLER, self.rules)
        verdict = decide(caller.rules, need)
        if verdict is Verdict.ALLOWED:
            return ""
        resource = f'"{need.resource}"' if quoted else need.resource
        reason = (
            "with an explicit deny in an identity-based policy"
            if verdict is Verdict.DENIED
            else f"because no identity-based policy allows the {need.action} action"
        )
        return (
            f"User: {caller.arn} is not authorized to perform: {need.action} on resource:"
            f" {resource} {reason}"
        )
