"""SageMaker model registry: groups of numbered model packages with an approval status.

The service's texts are in users' reports: tags (aws/aws-cdk#33699), AdditionalS3DataSource
(boto3#4510), a package of two names or none (getmoto/moto#7165). The others are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...pages import page
from ...resources import Document, Record
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError, invalid
from .records import NO_TAGS, PACKAGE, PACKAGE_GROUP, Records

_KEPT = (
    "ModelPackageDescription", "InferenceSpecification", "MetadataProperties", "ModelMetrics",
    "CustomerMetadataProperties", "DriftCheckBaselines", "Domain", "Task", "SamplePayloadUrl",
    "AdditionalInferenceSpecifications", "SkipModelValidation", "SourceUri", "ModelCard",
    "SecurityConfig", "ModelLifeCycle",
)  # fmt: skip
_CHANGED = (
    "ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri",
    "ModelCard", "ModelLifeCycle",
)  # fmt: skip
_LISTED = (
    "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageDescription",
    "CreationTime", "ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle",
)  # fmt: skip
_GROUP_LISTED = (
    "ModelPackageGroupName", "ModelPackageGroupArn", "ModelPackageGroupDescription",
    "CreationTime", "ModelPackageGroupStatus",
)  # fmt: skip
_NOT_OFFLINE = (
    "SourceAlgorithmSpecification", "ValidationSpecification", "ModelPackageName",
    "CertifyForMarketplace", "ModelPackageRegistrationType", "ManagedStorageType",
)  # fmt: skip
_NOT_CHANGED_OFFLINE = ("AdditionalInferenceSpecificationsToAdd", "ModelPackageRegistrationType")
_CONTAINER = ("Image", "ModelDataUrl", "ModelDataSource", "Environment")
"""What a model takes from its package."""
_DESCRIBING = (
    "ContainerHostname", "Framework", "FrameworkVersion", "ImageDigest", "ModelInput",
    "NearestModelName",
)  # fmt: skip
"""What changes nothing in how a container runs."""
_MOST_VARIABLES = 16
_UNVERSIONED = "Unversioned"
_PAGE = 10
_APPROVED = "Approved"
_CALLER = {"UserProfileArn": f"arn:aws:iam::{ACCOUNT}:user/cloudserve"}


class Package(Record, frozen=True):
    """A model package, and the ClientToken of the call that created it."""

    token: str | None = None

    @property
    def arn(self) -> str:
        """Return its ARN."""
        return str(self.document["ModelPackageArn"])

    @property
    def version(self) -> int:
        """Return its number in its group."""
        number: int = self.document["ModelPackageVersion"]
        return number

    @property
    def approval(self) -> str:
        """Return its ModelApprovalStatus."""
        return str(self.document["ModelApprovalStatus"])


class ModelPackages:
    """The operations of model package groups and their versions."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create_group(self, region: str, body: Document) -> Document:
        """Create a group; raises AwsError if the name is taken."""
        refuse_fields(body, ("ManagedConfiguration",))
        name = body["ModelPackageGroupName"]
        group: Document = {"CreatedBy": _CALLER, "ModelPackageGroupStatus": "Completed"}
        group |= {k: v for k, v in body.items() if k == "ModelPackageGroupDescription"}
        arn = self._records.create(PACKAGE_GROUP, region, name, group, body.get("Tags", []))
        return {"ModelPackageGroupArn": arn}

    def describe_group(self, region: str, body: Document) -> Document:
        """Return a group."""
        return self._records.get(PACKAGE_GROUP, region, _tail(body["ModelPackageGroupName"]))

    def list_groups(self, region: str, body: Document) -> Document:
        """Return a page of groups."""
        return self._records.page(PACKAGE_GROUP, region, body, _GROUP_LISTED)

    def delete_group(self, region: str, body: Document) -> None:
        """Delete a group; raises AwsError if it holds packages."""
        name = _tail(body["ModelPackageGroupName"])
        if self._packages(region, name):
            raise AwsError(
                "ConflictException", f"Model package group {name} still holds model packages."
            )
        self._records.delete(PACKAGE_GROUP, region, name)

    def create(self, region: str, body: Document) -> Document:
        """Create the next version of a group; a repeated ClientToken returns the same version."""
        _check_new(body)
        group = _tail(body["ModelPackageGroupName"])
        self._records.stored(PACKAGE_GROUP, region, group)
        packages, token = self._packages(region, group), body.get("ClientToken")
        for package in packages:
            if token is not None and package.token == token:
                return {"ModelPackageArn": package.arn}
        number = max((package.version for package in packages), default=0) + 1
        document: Document = {
            "ModelPackageGroupName": group,
            "ModelPackageVersion": number,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "ModelApprovalStatus": body.get("ModelApprovalStatus", "PendingManualApproval"),
            "CreatedBy": _CALLER,
            **{key: body[key] for key in _KEPT if key in body},
        }
        stored = Package(document=document, token=token).stored()
        arn = self._records.create(PACKAGE, region, f"{group}/{number}", stored, [])
        return {"ModelPackageArn": arn}

    def describe(self, region: str, body: Document) -> Document:
        """Return a package, by its ARN."""
        refuse_fields(body, ("IncludedData",))
        return self._read(region, body["ModelPackageName"]).document

    def update(self, region: str, body: Document) -> Document:
        """Approve or reject a package, or change its properties."""
        refuse_fields(body, _NOT_CHANGED_OFFLINE)
        if "InferenceSpecification" in body:
            _check_specification(body["InferenceSpecification"])
        package = self._read(region, body["ModelPackageArn"])
        document = package.document | {key: body[key] for key in _CHANGED if key in body}
        properties = document.get("CustomerMetadataProperties", {})
        properties |= body.get("CustomerMetadataProperties", {})
        for name in body.get("CustomerMetadataPropertiesToRemove", []):
            properties.pop(name, None)
        if properties:
            document["CustomerMetadataProperties"] = properties
        now = {"LastModifiedTime": self._records.now(), "LastModifiedBy": _CALLER}
        self._records.put(PACKAGE, region, package.having(document | now).stored())
        return {"ModelPackageArn": package.arn}

    def list(self, region: str, body: Document) -> Document:
        """Return a page of a group's packages, newest first by default."""
        refuse_fields(body, ("NameContains",))
        if "ModelPackageGroupName" not in body:
            if body.get("ModelPackageType", _UNVERSIONED) != _UNVERSIONED:
                raise invalid("A list of the packages of all groups is not available offline.")
            return {"ModelPackageSummaryList": []}
        group = _tail(body["ModelPackageGroupName"])
        self._records.stored(PACKAGE_GROUP, region, group)
        chosen = [
            (str(p.version), {k: p.document[k] for k in _LISTED if k in p.document})
            for p in self._packages(region, group)
            if _is_listed(p, body)
        ]
        if body.get("SortOrder", "Descending") == "Descending":
            chosen.reverse()
        try:
            packages, token = page(chosen, body.get("MaxResults", _PAGE), body.get("NextToken"))
        except ValueError as error:
            raise invalid("Invalid NextToken.") from error
        return {"ModelPackageSummaryList": packages} | ({"NextToken": token} if token else {})

    def delete(self, region: str, body: Document) -> None:
        """Delete a package; models made from it keep their copy."""
        self._records.delete(PACKAGE, region, _key(body["ModelPackageName"]))

    def container(self, region: str, name: str) -> Document:
        """Return a package's container; raises AwsError unless it specifies exactly one."""
        package = self._read(region, name)
        _check_approved(package)
        containers = package.document.get("InferenceSpecification", {}).get("Containers", [])
        if len(containers) != 1:
            raise invalid(f"Model package {name} does not specify exactly one container.")
        for field in containers[0]:
            if field not in (*_CONTAINER, *_DESCRIBING):
                raise invalid(f"{field} of a model package's container is not available offline.")
        return {field: containers[0][field] for field in _CONTAINER if field in containers[0]}

    def _read(self, region: str, name: str) -> Package:
        return Package.read(self._records.stored(PACKAGE, region, _key(name)))

    def _packages(self, region: str, group: str) -> Sequence[Package]:
        listed = self._records.resources.list(PACKAGE.table, f"{region}/{group}/")
        return sorted((Package.read(s) for _, s in listed), key=lambda package: package.version)


def _check_new(body: Mapping[str, Any]) -> None:
    """Raise AwsError for a package that the service refuses, or that is not one of a group.

    Source: API reference, `CreateModelPackage.Tags`: "your model package […] uses the tags
    associated with the model group. In this case, you cannot supply a tag argument."
    """
    if "ModelPackageGroupName" not in body and "ModelPackageName" not in body:
        raise invalid("Missing ARN.")
    if "ModelPackageGroupName" in body and "ModelPackageName" in body:
        raise invalid(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot"
            " determine which one to use."
        )
    if body.get("Tags"):
        raise invalid(NO_TAGS)
    refuse_fields(body, _NOT_OFFLINE)
    more = body.get("AdditionalInferenceSpecifications", [])
    names = [specification["Name"] for specification in more]
    if len(set(names)) < len(names):
        raise invalid("The names of AdditionalInferenceSpecifications must be unique.")
    for specification in (body.get("InferenceSpecification", {}), *more):
        _check_specification(specification)


def _check_specification(specification: Mapping[str, Any]) -> None:
    """Raise AwsError for a container that the service refuses.

    Source: API reference, `ModelPackageContainerDefinition`: "up to 16 entries in the map".
    """
    for container in specification.get("Containers", []):
        if "AdditionalS3DataSource" in container:
            raise invalid("AdditionalS3DataSource is not allowed in InferenceSpecification")
        if len(container.get("Environment", {})) > _MOST_VARIABLES:
            raise invalid(
                f"Environment of a model package's container has more than {_MOST_VARIABLES}"
                " entries."
            )


def refuse_fields(body: Mapping[str, Any], fields: Sequence[str]) -> None:
    """Raise AwsError for the first of some fields that a request has."""
    for field in fields:
        if field in body:
            raise invalid(f"{field} is not available offline.")


def _is_listed(package: Package, query: Mapping[str, Any]) -> bool:
    created = package.document["CreationTime"]
    return (
        query.get("ModelApprovalStatus", package.approval) == package.approval
        and query.get("CreationTimeAfter", created) <= created
        and query.get("CreationTimeBefore", created) >= created
        and query.get("ModelPackageType") != _UNVERSIONED
    )


def check_deployable(records: Records, region: str, container: Mapping[str, Any]) -> None:
    """Raise AwsError if a model's package is no longer Approved.

    A package that was deleted since is ignored: the model keeps its copy.
    """
    name = container.get("ModelPackageName")
    package = records.find(PACKAGE, region, _key(name)) if name else None
    if package is not None:
        _check_approved(Package.read(package))


def _check_approved(package: Package) -> None:
    """Raise AwsError for a versioned package that is not Approved.

    Source: SageMaker API reference, `CreateModelPackage.ModelApprovalStatus`: "For versioned
    models, the value of this parameter must be set to Approved to deploy the model."
    """
    if package.approval != _APPROVED:
        raise invalid(
            f"Model package {package.arn} cannot be deployed: its ModelApprovalStatus is"
            f" {package.approval}, and for versioned models it must be set to {_APPROVED}."
        )


def _key(name: str) -> str:
    """Return GROUP/NUMBER of a package: the end of its ARN, or the name itself."""
    return name.partition(":model-package/")[2] or name


def _tail(name: str) -> str:
    """Return a group's name from its name or ARN."""
    return name.rpartition("/")[2]
