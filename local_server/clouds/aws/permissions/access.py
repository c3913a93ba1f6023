"""The permissions of the callers of the offline AWS, and the services' words for a refusal.

The texts are those of users' reports: SageMaker "because no identity-based policy allows"
(philschmid/cdk-samples#2; HTTP 400 by aws-samples/sagemaker-custom-project-templates#41), S3 with
the resource in quotation marks (Privado-Inc/privado#573).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ....transport.types import Head
from ..protocol.arns import ACCOUNT, access_key, region
from ..protocol.errors import AwsError
from .policy import EVERYTHING, REQUESTED_REGION, Need, Rule, Verdict, decide

DENIED = "AccessDeniedException"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/cloudserve"
"""The offline account's user, whom the printed key belongs to."""


@dataclass(frozen=True, slots=True)
class Access:
    """The caller's policies.

    They do not apply to `exempt` access keys: the code in a container has the permissions of a
    model's role.
    """

    rules: Sequence[Rule] = (EVERYTHING,)
    exempt: frozenset[str] = frozenset()

    @property
    def allows_all(self) -> bool:
        """Return whether nothing needs to be checked."""
        return list(self.rules) == [EVERYTHING]

    def check(self, head: Head, needs: Iterable[Need], kind: str = DENIED) -> None:
        """Raise AwsError for the first need that is not allowed; `kind` is the service's code."""
        for need in needs:
            refused = self.refusal(head, need)
            if refused:
                raise AwsError(kind, refused)

    def of_s3(self, head: Head) -> Callable[[str, str], str]:
        """Return the function that returns S3's sentence on an action of a request's caller."""
        context = {REQUESTED_REGION: region(head)}
        return lambda action, resource: self.refusal(
            head, Need(action, resource, context), quoted=True
        )

    def refusal(self, head: Head, need: Need, *, quoted: bool = False) -> str:
        """Return the service's sentence if a need is not allowed; "" if it is."""
        if access_key(head) in self.exempt:
            return ""
        verdict = decide(self.rules, need)
        if verdict is Verdict.ALLOWED:
            return ""
        resource = f'"{need.resource}"' if quoted else need.resource
        reason = (
            "with an explicit deny in an identity-based policy"
            if verdict is Verdict.DENIED
            else f"because no identity-based policy allows the {need.action} action"
        )
        return (
            f"User: {CALLER} is not authorized to perform: {need.action} on resource: {resource}"
            f" {reason}"
        )
