"""SageMaker's calls. Failures are RemoteError; a resource that does not exist is None.

A missing resource and a taken name have no error type of their own: both are a ValidationException,
distinguished only by its text (`Could not find …`, `Cannot create already existing …`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from botocore.session import get_session

from cloudserve.errors import RemoteError, UserError
from cloudserve.known.tape import Tape
from cloudserve.release.destination import Destination

from ...errors import code_of, message_of, status_of, translated
from ...session import Access, aws_destination
from ..records import Endpoint
from .container_logs import Logs
from .identity import Identity
from .image_manifests import ImageManifests
from .objects import Objects
from .runtime import Runtime
from .scaling import ScalingApi
from .variant_metrics import VariantMetrics

Record = Mapping[str, Any]
NOT_FOUND = "Could not find"
TAKEN = ("Cannot create already existing", "Model Package Group already exists")
NO_GROUP = "does not exist"
"""Of a model package group the service says so; of everything else NOT_FOUND."""
SETTINGS = ("DataCaptureConfig", "AsyncInferenceConfig", "KmsKeyId")


class SageMaker:
    """SageMaker's control plane for one target; `runtime` sends predictions."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.logs = Logs(access)
        self.objects = Objects(access)
        self.scaling = ScalingApi(access)
        self.images = ImageManifests(access)
        self.identity = Identity(access)
        self.runtime = Runtime(access)

    @property
    def where(self) -> str:
        """Return the URL that calls are sent to, for errors."""
        return self._access.where("sagemaker")

    def record(self, tape: Tape) -> None:
        """Send all reads of the account through a tape."""
        self._access.tape = tape

    @property
    def credentials(self) -> str:
        """Return what this machine calls the caller's credentials; "" if nothing."""
        return self._access.credentials

    def destination(self, region: str) -> Destination:
        """Return the AWS account that the calls reach, or the offline clouds."""
        return aws_destination(self._access, region)

    def role_arn(self, role: str) -> str:
        """Return the ARN of a role of the caller's account, by its name with its path.

        The account and the partition are those of GetCallerIdentity. IAM is not called: few
        callers may read roles.
        """
        _, partition, *_, account, _ = self._tape.ask("caller", self._caller_arn).split(":", 5)
        return f"arn:{partition}:iam::{account}:role/{role}"

    def endpoint(self, name: str) -> Endpoint | None:
        """Read an endpoint and its configuration, or None."""
        if self._is_absent("list_endpoints", "EndpointName", name):
            return None
        description = self._read(
            f"read the endpoint {name}", "describe_endpoint", EndpointName=name
        )
        if description is None:
            return None
        config = description["EndpointConfigName"]
        current = description.get("ProductionVariants", ())
        content = self.config(config) or {}
        return Endpoint(
            name,
            description["EndpointArn"],
            description["EndpointStatus"],
            config,
            tuple(content.get("ProductionVariants", ())),
            {v["VariantName"]: v["CurrentWeight"] for v in current if "CurrentWeight" in v},
            description.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
            description.get("FailureReason"),
            {key: content[key] for key in SETTINGS if key in content},
            description.get("LastModifiedTime"),
            tuple(content.get("ShadowProductionVariants", ())),
            {
                v["VariantName"]: v["DesiredInstanceCount"]
                for v in current
                if "DesiredInstanceCount" in v
            },
            content,
        )

    def endpoint_arns(self) -> Iterator[str]:
        """Yield the ARNs of all endpoints but those that are being deleted, over all pages."""
        for endpoint in self._listed("list the endpoints", "list_endpoints", "Endpoints"):
            if endpoint["EndpointStatus"] != "Deleting":
                yield endpoint["EndpointArn"]

    def list_for_offline(self, containing: str) -> None:
        """List the endpoints whose names contain a text, if answers are kept.

        The list says offline which endpoints do not exist. Nothing else needs it, so a failure is
        ignored, such as a missing permission to list endpoints.
        """
        if not self._tape.keeps:
            return
        query = {"NameContains": containing}
        with suppress(RemoteError, UserError):
            list(self._listed("list the endpoints", "list_endpoints", "Endpoints", **query))

    def config(self, config: str) -> Record | None:
        """Read an endpoint configuration, or None."""
        return self._read(
            f"read the endpoint configuration {config}",
            "describe_endpoint_config",
            EndpointConfigName=config,
        )

    def config_names(self, containing: str) -> Iterator[str]:
        """Yield the names of the endpoint configurations that contain a text, over all pages."""
        what, query = "list the endpoint configurations", {"NameContains": containing}
        for config in self._listed(what, "list_endpoint_configs", "EndpointConfigs", **query):
            yield config["EndpointConfigName"]

    def variants(self, config: str) -> tuple[Record, ...]:
        """Read an endpoint configuration's variants, shadows last; () if it does not exist."""
        record = self.config(config) or {}
        kinds = ("ProductionVariants", "ShadowProductionVariants")
        return tuple(variant for kind in kinds for variant in record.get(kind, ()))

    def model(self, name: str) -> Record | None:
        """Read a SageMaker Model, or None."""
        if self._is_absent("list_models", "ModelName", name):
            return None
        return self._read(f"read the model {name}", "describe_model", ModelName=name)

    def model_names(self, containing: str) -> Iterator[str]:
        """Yield the names of the models whose names contain a text, over all pages."""
        query = {"NameContains": containing}
        for model in self._listed("list the models", "list_models", "Models", **query):
            yield model["ModelName"]

    def tags(self, arn: str) -> dict[str, str]:
        """Read a resource's tags."""
        tags = self._listed(f"read the tags of {arn}", "list_tags", "Tags", ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for tag in tags}

    def existing_tags(self, arn: str) -> dict[str, str] | None:
        """Read a resource's tags, or None if the resource does not exist any more."""
        return self._tape.ask(f"existing tags of {arn}", lambda: self._existing_tags(arn))

    def _existing_tags(self, arn: str) -> dict[str, str] | None:
        with translated(f"read the tags of {arn}", self.where):
            try:
                pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
                return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
            except ClientError as error:
                if _is_not_found(error):
                    return None
                raise

    def create(self, what: str, operation: str, **arguments: Any) -> bool:
        """Call a Create operation; return False if a resource of that name already exists."""
        with translated(what, self.where):
            try:
                self._call(operation)(**arguments)
            except ClientError as error:
                if message_of(error).startswith(TAKEN):
                    return False
                raise
        return True

    def change(self, what: str, operation: str, **arguments: Any) -> None:
        """Call an Update operation."""
        with translated(what, self.where):
            self._call(operation)(**arguments)

    def delete(self, what: str, operation: str, **arguments: Any) -> None:
        """Call a Delete operation; a resource that does not exist is ignored."""
        self._find(what, operation, **arguments)

    def packages(self, group: str) -> tuple[Record, ...]:
        """Read the summaries of a model package group's versions, the newest first."""
        return tuple(self._tape.ask(f"packages of {group}", lambda: self._packages(group)))

    def _packages(self, group: str) -> list[Record]:
        with translated(f"list the model packages of {group}", self.where):
            pages = self._client.get_paginator("list_model_packages")
            try:
                return [
                    package
                    for page in pages.paginate(ModelPackageGroupName=group)
                    for package in page["ModelPackageSummaryList"]
                ]
            except ClientError as error:
                if _is_not_found(error):
                    return []
                raise

    def package_group(self, group: str) -> Record | None:
        """Read a model package group, or None."""
        what = f"read the model package group {group}"
        return self._read(what, "describe_model_package_group", ModelPackageGroupName=group)

    def package(self, arn: str) -> Record:
        """Read a model package."""
        return (
            self._read(
                f"read the model package {arn}", "describe_model_package", ModelPackageName=arn
            )
            or {}
        )

    def transform_job(self, job: str) -> Record:
        """Read a transform job; {} if it does not exist."""
        what = f"read the transform job {job}"
        return self._read(what, "describe_transform_job", TransformJobName=job) or {}

    def alarms(self, names: Sequence[str]) -> dict[str, str]:
        """Return the states of the existing CloudWatch alarms of these names."""
        return self._tape.ask(f"alarms {list(names)}", lambda: self._alarms(names))

    def _alarms(self, names: Sequence[str]) -> dict[str, str]:
        kinds = ["MetricAlarm", "CompositeAlarm"]
        with translated("read the alarms", self._access.where("cloudwatch")):
            answer = self._access.client("cloudwatch").describe_alarms(
                AlarmNames=list(names), AlarmTypes=kinds
            )
        every = (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ()))
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in every}

    @property
    def metrics(self) -> VariantMetrics:
        """Return the reader of CloudWatch's metrics of variants."""
        return VariantMetrics(self._access)

    def instance_types(self) -> tuple[str, ...]:
        """Return the instance types that this version of boto3 knows for endpoints."""
        return tuple(self._service_model.shape_for("ProductionVariantInstanceType").enum)

    def job_instance_types(self) -> tuple[str, ...]:
        """Return the instance types that it knows for batch transform."""
        return tuple(self._service_model.shape_for("TransformInstanceType").enum)

    def bucket_region(self, name: str) -> str | None:
        """Return the region of a bucket, or None if it does not exist."""
        return self._tape.ask(f"region of {name}", lambda: self._bucket_region(name))

    def _bucket_region(self, name: str) -> str | None:
        with translated(f"look where the bucket {name} is", self._access.where("s3")):
            try:
                answer = self._s3.head_bucket(Bucket=name)
            except ClientError as error:
                region = region_of(error.response)
                if status_of(error) == HTTPStatus.NOT_FOUND or region:
                    return region
                raise
        return region_of(answer)

    def _listed(self, what: str, operation: str, key: str, **query: Any) -> Iterator[Record]:
        """Yield what a List operation returns, over all pages."""
        if not self._tape.keeps:
            yield from self._pages(what, operation, key, **query)
            return
        yield from self._tape.ask(
            _question(operation, query), lambda: list(self._pages(what, operation, key, **query))
        )

    def _pages(self, what: str, operation: str, key: str, **query: Any) -> Iterator[Record]:
        with translated(what, self.where):
            for page in self._client.get_paginator(operation).paginate(**query):
                yield from page[key]

    def _read(self, what: str, operation: str, **arguments: Any) -> Record | None:
        return self._tape.ask(
            _question(operation, arguments), lambda: self._find(what, operation, **arguments)
        )

    def _is_absent(self, operation: str, field: str, name: str) -> bool:
        """Return whether a known list that would have a name lacks it, where it cannot be asked.

        Nothing says that a list has what was created a moment ago; a description has it.
        """
        if not self._tape.is_offline:
            return False
        for asked, records in self._tape.listed(f"{operation} "):
            containing = msgspec.json.decode(asked).get("NameContains", "")
            if containing in name and all(record[field] != name for record in records):
                return True
        return False

    def _find(self, what: str, operation: str, **arguments: Any) -> Record | None:
        with translated(what, self.where):
            try:
                record: Record = self._call(operation)(**arguments)
            except ClientError as error:
                if _is_not_found(error):
                    return None
                raise
        return record

    def _call(self, operation: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self._client, operation)
        return call

    @property
    def _tape(self) -> Tape:
        return self._access.tape

    def _caller_arn(self) -> str:
        with translated("find the account of the caller", self._access.where("sts")):
            return str(self._caller["Arn"])

    @cached_property
    def _service_model(self) -> Any:
        if self._tape.is_offline:  # a client would look for credentials
            return get_session().get_service_model("sagemaker")
        return self._client.meta.service_model

    @cached_property
    def _caller(self) -> Any:
        return self._access.client("sts").get_caller_identity()

    @cached_property
    def _client(self) -> Any:
        return self._access.client("sagemaker")

    @cached_property
    def _s3(self) -> Any:
        return self._access.client("s3")


def _question(operation: str, arguments: Mapping[str, Any]) -> str:
    return f"{operation} {msgspec.json.encode(arguments, order='sorted').decode()}"


def region_of(answer: Mapping[str, Any]) -> str | None:
    """Return the region that S3's answer names; it does so also when it refuses."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = answer.get("BucketRegion") or headers.get("x-amz-bucket-region")
    return str(region) if region else None


def _is_not_found(error: ClientError) -> bool:
    if code_of(error) != "ValidationException":
        return False
    return message_of(error).startswith(NOT_FOUND) or NO_GROUP in message_of(error)
