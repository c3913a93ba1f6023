"""The fields of a target with `provider: sagemaker`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from ....options import from_environment

ROLE = r"^(arn:aws[a-z-]*:iam::\d{12}:role/.+)?$"
ROLE_NAME = r"^([\w+=,.@-]+/)*[\w+=,.@-]*$"
FOLDER = r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?)?$"
GROUP = r"^([a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})?$"
Count = Annotated[int, msgspec.Meta(ge=1)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Concurrency = Annotated[int, msgspec.Meta(ge=0, le=200)]
Hour = Annotated[int, msgspec.Meta(ge=0, le=3600)]
Role = Annotated[
    str,
    msgspec.Meta(pattern=ROLE, description="the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME"),
]
RoleName = Annotated[
    str, msgspec.Meta(pattern=ROLE_NAME, description="the name of a role: NAME or PATH/NAME")
]
Folder = Annotated[str, msgspec.Meta(pattern=FOLDER, description="a URL, s3://BUCKET/PREFIX")]
Group = Annotated[
    str,
    msgspec.Meta(pattern=GROUP, description="a name of letters, digits and -, at most 63"),
]
Key = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-zA-Z0-9:/_-]*$",
        description="the id, alias or ARN of a KMS key",
        max_length=2048,
    ),
]


class Autoscaling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The field `autoscaling`: how many instances a variant has, and by which load."""

    max: Annotated[int, msgspec.Meta(ge=1)]
    min: Annotated[int, msgspec.Meta(ge=0)] = 1
    invocations_per_instance: Annotated[float, msgspec.Meta(ge=0)] = 0
    """The requests a minute that each instance is to have."""
    backlog_per_instance: Annotated[float, msgspec.Meta(ge=0)] = 0
    """The waiting requests that each instance of an asynchronous endpoint is to have."""
    scale_in_cooldown: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Seconds between two removals of instances; None leaves it to the service."""
    scale_out_cooldown: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Update(StrEnum):
    """How an update moves traffic to new instances (SageMaker's deployment guardrails)."""

    NONE = ""
    ALL_AT_ONCE = "all-at-once"
    CANARY = "canary"
    LINEAR = "linear"
    ROLLING = "rolling"


@dataclass(frozen=True, slots=True)
class Options:
    """The fields of a target with `provider: sagemaker`."""

    bucket: str
    region: str = from_environment("AWS_REGION", "AWS_DEFAULT_REGION")
    role_arn: Role = ""
    """The role that SageMaker reads the bucket as."""
    role: RoleName = ""
    """The same by name, with its path if it has one; of the account that the calls reach."""
    endpoint_name: str = ""
    """The endpoint; `{model}` stands for the model. By default that, with the target if needed."""

    instance_type: str = "ml.m5.large"
    instance_count: Count = 1
    tensorflow_version: str = ""
    """The version of AWS's TensorFlow image; by default the newest."""
    image: str = ""
    """A container image of one's own, instead."""
    rehearse: Mapping[str, str] = field(default_factory=dict)
    """`command`: what the offline clouds run instead of `image`."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The container's environment, such as the `SAGEMAKER_TFS_…` variables."""
    archive: bool = False
    """Serve from one `model.tar.gz` made of the files; serverless endpoints always do."""
    multi_model: Group = ""
    """The endpoint that the target's models share, each loaded when a request is for it."""
    download_seconds: Hour = 0
    """How long a model may take to be downloaded; 0 leaves it to SageMaker."""
    startup_seconds: Hour = 0
    """How long a container may take until it answers `/ping`; 0 leaves it to SageMaker."""

    subnets: str = ""
    """Comma-separated subnets of the VPC that the containers are in; with `security_groups`."""
    security_groups: str = ""
    """Comma-separated security groups of the containers; with `subnets`."""
    network_isolation: bool = False
    """Let the containers make no connections and accept no other ones."""
    kms_key: Key = ""
    """The key that encrypts the instances' volumes."""
    volume_size_gb: Annotated[int, msgspec.Meta(ge=0, le=512)] = 0
    """The size of an instance's volume; 0 leaves it to SageMaker."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the target's resources, beside cloudserve's own."""

    autoscaling: Autoscaling | None = None
    """How instances are added and removed; without it there are always `instance_count`."""

    serverless_memory_mb: Annotated[int, msgspec.Meta(ge=0, le=6144)] = 0
    """Serve without instances, with this memory: 1024 to 6144 in steps of 1024; 0 for instances."""
    serverless_concurrency: Annotated[int, msgspec.Meta(ge=1, le=200)] = 5
    """How many requests a serverless endpoint answers at once."""
    serverless_provisioned: Concurrency = 0
    """For how many of them it is kept warm."""

    capture_percent: Percent = 0
    """How many of the requests are captured with their answers."""
    capture_url: Folder = ""
    """The URL prefix of captured requests; by default `captured` in the bucket."""
    async_output: Folder = ""
    """Answer asynchronously, into this folder."""
    async_failures: Folder = ""
    async_concurrency: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    """How many requests an instance works on at once; 0 leaves it to SageMaker."""

    shadow_percent: Percent = 0
    """The percentage of requests that a waiting revision gets copies of, without its answers being
    returned."""

    update: Update = Update.NONE
    """How a promotion replaces the live revision; without it both share the endpoint by weights."""
    update_percent: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10
    """The canary's size, a linear step's, or a rolling batch's."""
    update_wait_seconds: Hour = 300
    """How long each step is watched."""
    update_bake_seconds: Hour = 0
    """How long the old instances stay after the last step."""
    alarms: str = ""
    """Comma-separated CloudWatch alarms that roll an update back when one fires."""

    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Raw fields of `create_model`, `create_endpoint_config` and `production_variant`."""

    package_group: Group = ""
    """The model package group that a revision is approved in before it is promoted."""

    profile: str = ""
    timeout_seconds: Annotated[int, msgspec.Meta(gt=0)] = 1800
    """How long an endpoint is waited for."""

    @property
    def serverless(self) -> bool:
        """Return whether the endpoint has no instances."""
        return self.serverless_memory_mb > 0

    @property
    def archived(self) -> bool:
        """Return whether SageMaker reads one archive: serverless endpoints read no prefix.

        Source: API reference, `ContainerDefinition.ModelDataSource`.
        """
        return self.archive or self.serverless

    @property
    def staged(self) -> bool:
        """Return whether a revision that is not live has an endpoint of its own, not a variant."""
        apart = self.serverless or bool(self.async_output) or self.shadow_percent > 0
        return apart or self.update is not Update.NONE

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """Return the alarms' names."""
        return _names(self.alarms)

    @property
    def vpc(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the subnets and the security groups."""
        return _names(self.subnets), _names(self.security_groups)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
