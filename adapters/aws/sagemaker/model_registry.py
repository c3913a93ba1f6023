"""The model registry: a revision is a package of a group, for the gate *approval*.

Versioned packages take no tags, and a list shows no properties: the package's description carries
the revision. Source: SageMaker API reference, `CreateModelPackage`, `ModelPackageSummary`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cloudserve.errors import CheckFailedError, ConflictError
from cloudserve.release.owner import owned_by
from cloudserve.release.provider import Approval
from cloudserve.release.types import Action, Deployment, Location, Revision
from cloudserve.storage.events import Reporter

from ...actions import planned
from .actions.steps import RegisterPackage
from .context import AwsContext
from .model_files.archive import source_url
from .records import bucket_of, container, data_url

PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"
TYPES = {
    "SupportedContentTypes": ["application/json", "application/jsonlines", "text/csv"],
    "SupportedResponseMIMETypes": ["application/json"],
}
DIGITS_IN_TOKEN = 32
WROTE = "cloudserve"
"""The first word of the description of a package that cloudserve registered."""


class Packages:
    """The packages of one target's group; without a group nothing is registered or asked."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context
        self._group = context.options.package_group

    def plan(self, model: str, revision: Revision, location: Location) -> tuple[Action, ...]:
        """Plan to register a revision that is not in the group; () when it is.

        Raises ConflictError for a group of another owner.
        """
        if not self._group:
            return ()
        self._check_group()
        if self._find(model, revision) is not None:
            return ()
        step = RegisterPackage(
            model,
            self._group,
            revision.number,
            revision.digest,
            self._aws.image,
            source_url(location, archived=self._aws.options.archived),
            dict(self._aws.options.env),
        )
        sentence = (
            f"register {revision.id} in the model package group {self._group}, to be approved"
        )
        return (planned(step, sentence, "delete the model package"),)

    def has(self, model: str, revision: Revision) -> bool:
        """Return whether a revision is registered in the target's group."""
        return bool(self._group) and self._find(model, revision) is not None

    def register(self, step: RegisterPackage, reporter: Reporter) -> None:
        """Create the group if it does not exist, and the package; safe to repeat."""
        group, model = step.group, step.model
        revision = Revision(step.number, step.digest)
        if self._find(model, revision) is not None:
            reporter.line(f"model package of {revision.id} already exists")
            return
        tags = self._aws.owned.tags(model)
        made = self._aws.api.create(
            f"create the model package group {group}",
            "create_model_package_group",
            ModelPackageGroupName=group,
            Tags=tags,
        )
        arn = None if made else self._check_group()
        if arn:
            self._aws.api.change(f"tag {group}", "add_tags", ResourceArn=arn, Tags=tags)
        description = _description(model, revision)
        self._aws.api.change(
            f"register {revision.id} in {group}",
            "create_model_package",
            ModelPackageGroupName=group,
            ModelPackageDescription=description,
            InferenceSpecification={
                "Containers": [container(step.image, step.source, step.env)],
                **TYPES,
            },
            ModelApprovalStatus=PENDING,
            CustomerMetadataProperties={
                tag["Key"]: tag["Value"]
                for tag in self._aws.owned.tags(
                    model, number=revision.number, digest=revision.digest
                )
            },
            ClientToken=hashlib.sha256(description.encode()).hexdigest()[:DIGITS_IN_TOKEN],
        )

    @property
    def name(self) -> str:
        """Return what holds the approvals, for people; "" without a group."""
        return f"the model package group {self._group}" if self._group else ""

    def check(self, deployment: Deployment, revision_id: str) -> None:
        """Raise CheckFailedError for a revision that was rejected, also for a rollback to it.

        Raises ConflictError if the group belongs to another owner.
        """
        chosen = deployment.find(revision_id)
        if not self._group or chosen is None:
            return
        self._check_group()
        package = self._find(deployment.model, chosen.revision)
        if package is not None and package["ModelApprovalStatus"] == REJECTED:
            arn = str(package["ModelPackageArn"])
            raise CheckFailedError(
                f"{revision_id} was rejected{self._reason(arn)}",
                where=arn,
                hint="promote another version, or approve this one in SageMaker after all",
            )

    def approval(self, model: str, revision: Revision) -> Approval:
        """Read the approval status of a revision's package.

        Raises ConflictError if the group belongs to another owner.
        """
        self._check_group()
        package = self._find(model, revision)
        if package is None:
            sentence = f"{revision.id} is not registered in {self.name}"
            hint = f"cloudserve deploy {model} --target {self._aws.names.target} registers it"
            return Approval(is_given=False, sentence=sentence, hint=hint)
        status, arn = package["ModelApprovalStatus"], str(package["ModelPackageArn"])
        if status == APPROVED:
            sentence = f"{revision.id} is approved in {self.name}"
            return Approval(is_given=True, sentence=sentence)
        hint = (
            f"approve it: aws sagemaker update-model-package --region {arn.split(':')[3]} "
            f"--model-package-arn {arn} --model-approval-status {APPROVED}"
        )
        sentence = f"{revision.id} waits for its approval in {self.name} ({status})"
        return Approval(is_given=False, sentence=sentence, hint=hint, where=arn)

    def _check_group(self) -> str | None:
        """Return the ARN of a group without an owner; raise ConflictError for one of another."""
        group = self._aws.api.package_group(self._group)
        if group is None:
            return None
        arn, what = str(group["ModelPackageGroupArn"]), f"the model package group {self._group}"
        owner = self._aws.owned.other_owner(arn)
        if owner is not None:
            raise owned_by(what, owner, where=arn, field="package_group")
        if self._aws.owned.is_tagged(arn):
            return None
        buckets = self._buckets()
        if buckets and not self._aws.owned.inherits(buckets):
            raise ConflictError(
                f"{what} has models of the bucket {' and '.join(sorted(buckets))}",
                where=arn,
                hint="give this target a `package_group` of its own",
            )
        return arn

    def _buckets(self) -> set[str]:
        """Return the bucket of the newest package that cloudserve registered, if there is one."""
        for package in self._aws.api.packages(self._group):
            if str(package.get("ModelPackageDescription", "")).startswith(f"{WROTE} "):
                details = self._aws.api.package(str(package["ModelPackageArn"]))
                containers = details.get("InferenceSpecification", {}).get("Containers", ())
                return {bucket_of(data_url(container)) for container in containers}
        return set()

    def _find(self, model: str, revision: Revision) -> Mapping[str, Any] | None:
        description = _description(model, revision)
        return next(
            (
                package
                for package in self._aws.api.packages(self._group)
                if package.get("ModelPackageDescription") == description
            ),
            None,
        )

    def _reason(self, arn: str) -> str:
        said = self._aws.api.package(arn).get("ApprovalDescription")
        return f": {said}" if said else ""


def _description(model: str, revision: Revision) -> str:
    return f"{WROTE} {model} v{revision.number} sha256:{revision.digest}"
