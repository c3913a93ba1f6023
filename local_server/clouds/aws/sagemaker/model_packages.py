"""SageMaker model registry: groups of numbered model packages with an approval status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...pages import page
from ...resources import Document
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError, invalid
from .records import PACKAGE, PACKAGE_GROUP, Records, shown

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
_NOT_OFFLINE = ("SourceAlgorithmSpecification", "ValidationSpecification", "ModelPackageName")
_PAGE = 10
_APPROVED = "Approved"
_CALLER = {"UserProfileArn": f"arn:aws:iam::{ACCOUNT}:user/cloudserve"}


class ModelPackages:
    """The operations of model package groups and their versions."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create_group(self, region: str, body: Document) -> Document:
        """Create a group; raises AwsError if the name is taken."""
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
        if self._versions(region, name):
            raise AwsError(
                "ConflictException", f"Model package group {name} still holds model packages."
            )
        self._records.delete(PACKAGE_GROUP, region, name)

    def create(self, region: str, body: Document) -> Document:
        """Create the next version of a group; a repeated ClientToken returns the same version."""
        for field in _NOT_OFFLINE:
            if field in body:
                raise invalid(f"{field} is not available offline.")
        if "ModelPackageGroupName" not in body:
            raise invalid("ModelPackageGroupName is required.")
        group = _tail(body["ModelPackageGroupName"])
        self._records.stored(PACKAGE_GROUP, region, group)
        versions, token = self._versions(region, group), body.get("ClientToken")
        for version in versions:
            if token is not None and version.get("_token") == token:
                return {"ModelPackageArn": version["ModelPackageArn"]}
        number = max((version["ModelPackageVersion"] for version in versions), default=0) + 1
        package: Document = {
            "ModelPackageGroupName": group,
            "ModelPackageVersion": number,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "ModelApprovalStatus": body.get("ModelApprovalStatus", "PendingManualApproval"),
            "CreatedBy": _CALLER,
            "_token": token,
            **{key: body[key] for key in _KEPT if key in body},
        }
        arn = self._records.create(
            PACKAGE, region, f"{group}/{number}", package, body.get("Tags", [])
        )
        return {"ModelPackageArn": arn}

    def describe(self, region: str, body: Document) -> Document:
        """Return a package, by its ARN."""
        return shown(self._stored(region, body["ModelPackageName"]))

    def update(self, region: str, body: Document) -> Document:
        """Approve or reject a package, or change its properties."""
        package = self._stored(region, body["ModelPackageArn"])
        package |= {key: body[key] for key in _CHANGED if key in body}
        properties = package.get("CustomerMetadataProperties", {})
        properties |= body.get("CustomerMetadataProperties", {})
        for name in body.get("CustomerMetadataPropertiesToRemove", []):
            properties.pop(name, None)
        if properties:
            package["CustomerMetadataProperties"] = properties
        now = {"LastModifiedTime": self._records.now(), "LastModifiedBy": _CALLER}
        self._records.put(PACKAGE, region, package | now)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def list(self, region: str, body: Document) -> Document:
        """Return a page of a group's packages, newest first by default."""
        if "ModelPackageGroupName" not in body:
            return {"ModelPackageSummaryList": []}
        group = _tail(body["ModelPackageGroupName"])
        self._records.stored(PACKAGE_GROUP, region, group)
        status = body.get("ModelApprovalStatus")
        chosen = [
            (str(package["ModelPackageVersion"]), {k: package[k] for k in _LISTED if k in package})
            for package in self._versions(region, group)
            if status in {None, package["ModelApprovalStatus"]}
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
        package = self._stored(region, body["ModelPackageName"])
        self._records.delete(PACKAGE, region, package["_name"])

    def container(self, region: str, name: str) -> Document:
        """Return a package's container; raises AwsError unless it specifies exactly one."""
        package = self._stored(region, name)
        _check_approved(package)
        containers = package.get("InferenceSpecification", {}).get("Containers", [])
        if len(containers) != 1:
            raise invalid(f"Model package {name} does not specify exactly one container.")
        fields = ("Image", "ModelDataUrl", "ModelDataSource", "Environment")
        return {field: containers[0][field] for field in fields if field in containers[0]}

    def _stored(self, region: str, name: str) -> Document:
        return self._records.stored(PACKAGE, region, _key(name))

    def _versions(self, region: str, group: str) -> Sequence[Document]:
        listed = self._records.resources.list(PACKAGE.table, f"{region}/{group}/")
        return sorted((document for _, document in listed), key=_version)


def check_deployable(records: Records, region: str, container: Mapping[str, Any]) -> None:
    """Raise AwsError if a model's package is no longer Approved.

    A package that was deleted since is ignored: the model keeps its copy.
    """
    name = container.get("ModelPackageName")
    package = records.find(PACKAGE, region, _key(name)) if name else None
    if package is not None:
        _check_approved(package)


def _check_approved(package: Mapping[str, Any]) -> None:
    """Raise AwsError for a versioned package that is not Approved.

    Source: SageMaker API reference, `CreateModelPackage.ModelApprovalStatus`: "For versioned
    models, the value of this parameter must be set to Approved to deploy the model."
    """
    status = package["ModelApprovalStatus"]
    if status != _APPROVED:
        raise invalid(
            f"Model package {package['ModelPackageArn']} cannot be deployed: its"
            f" ModelApprovalStatus is {status}, and for versioned models it must be set to"
            f" {_APPROVED}."
        )


def _key(name: str) -> str:
    """Return GROUP/NUMBER of a package: the end of its ARN, or the name itself."""
    return name.partition(":model-package/")[2] or name


def _version(package: Mapping[str, Any]) -> int:
    number: int = package["ModelPackageVersion"]
    return number


def _tail(name: str) -> str:
    """Return a group's name from its name or ARN."""
    return name.rpartition("/")[2]
