"""SageMaker models: an image and the location of its model data."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...model_hosting import Source
from ...objects.store.errors import NoSuchBucketError
from ...objects.store.store import ObjectStore
from ...resources import Document
from ..identity.roles import SERVICE, Roles, is_assumable, may, role_name
from ..protocol.errors import AwsError, invalid
from .image_manifests import ImageManifests
from .images import check_image, running_image
from .metrics_config import check_metrics_frequency
from .model_packages import ModelPackages
from .multi_container import given_containers
from .records import MODEL, Records

logger = logging.getLogger(__name__)

_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)
_NOT_OFFLINE = ("AdditionalModelDataSources", "InferenceSpecificationName")
_NOT_OF_A_SOURCE = ("ManifestS3Uri", "ManifestEtag", "ETag", "HubAccessConfig")
_MOST_ENVIRONMENT = 32 * 1024
_ARCHIVE = ".tar.gz"
_KEPT = (
    "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation", "InferenceExecutionConfig",
)  # fmt: skip


class Models:
    """CreateModel, DescribeModel, ListModels, DeleteModel."""

    def __init__(
        self,
        records: Records,
        store: ObjectStore,
        packages: ModelPackages,
        images: ImageManifests,
    ) -> None:
        self._records = records
        self._images = images
        self._store = store
        self._packages = packages
        self._roles = Roles(records.resources, records.now)

    async def create(self, region: str, body: Document) -> Document:
        """Create a model; raises AwsError if its name is taken or its data does not exist.

        The service's model requires no role, for inference components that have one elsewhere.
        Which calls refuse such a model is not documented, so it is refused here.
        """
        containers = [self._resolved(region, each) for each in given_containers(body)]
        if not body.get("ExecutionRoleArn"):
            raise invalid(
                "ExecutionRoleArn is required: SageMaker assumes the role to read the image and the"
                " model data."
            )
        _check_environment(containers)
        for container in containers:
            await self.check_container(region, container, body)
        name = body["ModelName"]
        model: Document = {"ModelName": name, "PrimaryContainer": containers[0]}
        if len(containers) > 1:
            model = {"ModelName": name, "Containers": containers}
        model |= {key: body[key] for key in _KEPT if key in body}
        arn = self._records.create(MODEL, region, name, model, body.get("Tags", []))
        for container in containers:
            self._log_stand_in(name, container["Image"])
        return {"ModelArn": arn}

    async def check_container(self, region: str, container: Document, body: Document) -> None:
        """Raise AwsError for a container that the service refuses, or that does not run here."""
        for field in _NOT_OFFLINE:
            if container.get(field):
                raise invalid(f"{field} is not available offline.")
        _check_image_config(container)
        check_metrics_frequency(container.get("ContainerMetricsConfig", {}))
        if container.get("Mode") == "MultiModel":
            check_no_source(container, "multi-model endpoints")
            if container["Image"] in self._records.rehearsed:
                raise invalid("A command with MultiModel is not available offline.")
        check_image(container, body, region)
        self._images.check(container["Image"])
        source = source_of(container)
        self._check_region(region, source, body)
        # The prefix of a multi-model container may be filled later.
        if container.get("Mode") != "MultiModel":
            await asyncio.to_thread(self._check_data, source)
        if "ExecutionRoleArn" in body:
            self._check_role(region, source, body["ExecutionRoleArn"])

    def _log_stand_in(self, name: str, image: str) -> None:
        rehearsed = self._records.rehearsed
        if image not in rehearsed and running_image(image, rehearsed) != image:
            logger.warning(
                "model %s: the image %s does not run offline; cloudserve's TensorFlow server"
                " answers instead (`cloudserve emulate --rehearse IMAGE=COMMAND` runs a command)",
                name,
                image,
            )

    def _check_region(self, region: str, source: Source, model: Document) -> None:
        """Raise AwsError for model data in a bucket of another region.

        Source: ContainerDefinition.ModelDataUrl. The text is the service's, which lists the
        possible causes.
        """
        try:
            bucket_region = self._store.get_bucket(source.bucket).region
        except NoSuchBucketError:  # reported by _check_data
            return
        if bucket_region and bucket_region != region:
            raise _no_access(region, source, model.get("ExecutionRoleArn", ""))

    def _check_role(self, region: str, source: Source, arn: str) -> None:
        """Raise AwsError if an existing role is not SageMaker's, or may not read the model data.

        A role that nobody created offline is taken for one of the cloud. The text of a role without
        trust is awslabs/predictive-maintenance-using-machine-learning#3's.
        """
        role = self._roles.find(role_name(arn))
        if role is None:
            return
        if not is_assumable(role):
            raise invalid(
                f"Could not assume role {arn}. Please ensure that the role exists and allows"
                f" principal '{SERVICE}' to assume the role."
            )
        needs = [("s3:GetObject", f"{source.bucket}/{source.key}")]
        if is_folder(source):
            needs = [
                ("s3:ListBucket", source.bucket),
                ("s3:GetObject", f"{source.bucket}/{source.key}x"),
            ]
        if not all(may(role, action, f"arn:aws:s3:::{resource}") for action, resource in needs):
            raise _no_access(region, source, arn)

    def _check_data(self, source: Source) -> None:
        files = source.usage(self._store)[0] if is_folder(source) else source.holds(self._store, "")
        if not files:
            raise _no_data(f"s3://{source.bucket}/{source.key}")

    def _resolved(self, region: str, container: Document) -> Document:
        """Return a container with the settings of its model package, if it names one."""
        if "ModelPackageName" in container:
            if "Image" in container or "ModelDataUrl" in container:
                raise invalid(
                    "Specify one of either Image and Model Data URL or ModelPackageName in"
                    " container definition."
                )
            container |= self._packages.container(region, container["ModelPackageName"])
        if not container.get("Image"):
            raise invalid("Image is required for a container.")
        return container

    def describe(self, region: str, body: Document) -> Document:
        """Return a model as it was created."""
        return self._records.get(MODEL, region, body["ModelName"])

    def list(self, region: str, body: Document) -> Document:
        """Return a page of models."""
        return self._records.page(MODEL, region, body, ("ModelName", "ModelArn", "CreationTime"))

    def delete(self, region: str, body: Document) -> None:
        """Delete a model; endpoints that serve it keep their copy."""
        self._records.delete(MODEL, region, body["ModelName"])


def _check_environment(containers: Sequence[Mapping[str, Any]]) -> None:
    """Raise AwsError for variables of more than 32 KB, those of all containers together.

    Source: ContainerDefinition.Environment; lengths of keys and values are in the service's model.
    """
    variables = [pair for each in containers for pair in each.get("Environment", {}).items()]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in variables)
    if size > _MOST_ENVIRONMENT:
        raise invalid(
            f"The keys and values of Environment have {size} bytes; the maximum is"
            f" {_MOST_ENVIRONMENT}."
        )


def _check_image_config(container: Mapping[str, Any]) -> None:
    """Raise AwsError for credentials of a registry that is not in the VPC.

    Source: ImageConfig.RepositoryAuthConfig.
    """
    config = container.get("ImageConfig", {})
    if "RepositoryAuthConfig" in config and config["RepositoryAccessMode"] != "Vpc":
        raise invalid("RepositoryAuthConfig is only supported with the RepositoryAccessMode Vpc.")


def check_no_source(container: Mapping[str, Any], purpose: str) -> None:
    """Raise AwsError for a ModelDataSource where the service does not accept one.

    Source: API reference, `ContainerDefinition.ModelDataSource`; the text is ours.
    """
    if "ModelDataSource" in container:
        raise invalid(f"ModelDataSource cannot be used with {purpose}: use ModelDataUrl instead.")


def source_of(container: Mapping[str, Any]) -> Source:
    """Return the location of a container's model data: a prefix or a model.tar.gz."""
    data = container.get("ModelDataSource", {}).get("S3DataSource")
    if data is None:
        return _archive_source(container)
    for field in _NOT_OF_A_SOURCE:
        if field in data:
            raise invalid(f"{field} of an S3DataSource is not available offline.")
    if data["CompressionType"] == "None" and data["S3DataType"] == "S3Prefix":
        if not data["S3Uri"].endswith("/"):
            raise invalid("S3Uri must end with a slash when S3DataType is S3Prefix.")
        return _source(data["S3Uri"])
    if data["CompressionType"] == "Gzip" and data["S3DataType"] == "S3Object":
        return _source(data["S3Uri"])
    raise invalid(
        f"S3DataType {data['S3DataType']} with CompressionType {data['CompressionType']} is not"
        " available offline."
    )


def is_folder(source: Source) -> bool:
    """Return whether model data is a prefix rather than an archive."""
    return not source.key or source.key.endswith("/")


def _archive_source(container: Mapping[str, Any]) -> Source:
    """Return the archive of a ModelDataUrl; for a multi-model container its prefix.

    Source: ContainerDefinition.ModelDataUrl, "a single gzip compressed tar archive (.tar.gz
    suffix)".
    """
    url = container.get("ModelDataUrl", "")
    source = _source(url)
    if container.get("Mode") == "MultiModel":
        # The prefix need not end with a slash.
        return source if is_folder(source) else Source(source.bucket, f"{source.key}/")
    if is_folder(source):
        raise _no_data(url)
    if not source.key.endswith(_ARCHIVE):
        raise invalid(f"ModelDataUrl {url} must point to a gzip compressed tar archive, .tar.gz.")
    return source


def _source(uri: str) -> Source:
    match = _S3.fullmatch(uri)
    if match is None:
        raise _no_data(uri)
    return Source(match[1], match[2] or "")


def _no_access(region: str, source: Source, role: str) -> AwsError:
    return invalid(
        f"Could not access model data at s3://{source.bucket}/{source.key}. Please ensure that the"
        f' role "{role}" exists and that its trust relationship policy allows the action'
        ' "sts:AssumeRole" for the service principal "sagemaker.amazonaws.com". Also ensure that'
        f' the role has "s3:GetObject" permissions and that the object is located in {region}. If'
        " your Model uses multiple models or uncompressed models, please ensure that the role has"
        ' "s3:ListBucket" permission.'
    )


def _no_data(uri: str) -> AwsError:
    return invalid(f"Could not find model data at {uri}.")
