"""The actions of SageMaker's plans."""

from __future__ import annotations

from typing import Any

from msgspec import field

from ....actions import AnyStep, ModelStep, RevisionStep


class CreateModel(ModelStep, frozen=True):
    """Create a SageMaker Model from a prefix or an archive."""

    name: str
    number: int
    digest: str
    image: str
    source: str
    role_arn: str
    env: dict[str, str] = field(default_factory=dict)
    code: str = ""
    """The key prefix of the model's own `code/`, which is copied to `code_target`; or ""."""
    code_target: str = ""
    many: bool = False
    """Whether the source is a prefix of archives of many models."""
    network: dict[str, Any] = field(default_factory=dict)
    """The network arguments of CreateModel."""
    extra: dict[str, Any] = field(default_factory=dict)
    """The raw fields of CreateModel."""
    tags: dict[str, str] = field(default_factory=dict)
    """The user's tags."""


class DeleteModel(ModelStep, frozen=True):
    """Delete the SageMaker Model of a revision's digest."""

    name: str
    digest: str


class CreateEndpointConfig(ModelStep, frozen=True):
    """Create an endpoint configuration."""

    config: str
    variants: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    """The other arguments of CreateEndpointConfig."""
    tags: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    """Tags of cloudserve's own, beside those of the owner."""


class DeleteEndpointConfig(ModelStep, frozen=True):
    """Delete an endpoint configuration."""

    config: str


class CreateEndpoint(ModelStep, frozen=True):
    """Create an endpoint with a configuration."""

    endpoint: str
    config: str
    variant: str = ""
    """The variant whose log is shown if the endpoint fails."""
    tags: dict[str, str] = field(default_factory=dict)


class SetTags(ModelStep, frozen=True):
    """Write and remove tags of a resource of the target."""

    arn: str
    tags: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


SCALED = "cloudserve-scaled"
"""The tag of an endpoint that has, or had, variants that are registered for scaling."""


class RegisterScaling(ModelStep, frozen=True):
    """Register a variant for automatic scaling, or change its limits and policy."""

    endpoint: str
    variant: str
    minimum: int
    maximum: int
    policy: dict[str, Any]
    """A TargetTrackingScalingPolicyConfiguration (Application Auto Scaling)."""


class DeregisterScaling(ModelStep, frozen=True):
    """End the automatic scaling of a variant."""

    endpoint: str
    variant: str


class UpdateEndpoint(ModelStep, frozen=True):
    """Move an endpoint to a configuration."""

    endpoint: str
    config: str
    variant: str = ""
    before: str = ""
    """The configuration that the endpoint had when it was planned; plans of older versions have
    none."""
    policy: dict[str, Any] = field(default_factory=dict)
    """The DeploymentConfig of UpdateEndpoint; {} leaves it to SageMaker."""


class DeleteEndpoint(ModelStep, frozen=True):
    """Delete an endpoint that failed, or in any state if `idle`."""

    endpoint: str
    idle: bool = False


class DeleteSharedEndpoint(ModelStep, frozen=True):
    """Delete an endpoint of many models, if no other model is on it."""

    endpoint: str


class SetWeights(ModelStep, frozen=True):
    """Give the variants of an endpoint their percentages of the traffic."""

    endpoint: str
    revision: str
    weights: dict[str, int]


class AwaitEndpoint(AnyStep, frozen=True):
    """Wait for a change of an endpoint that has begun."""

    endpoint: str
    variant: str = ""


class RegisterPackage(ModelStep, frozen=True):
    """Register a revision in a model package group."""

    group: str
    number: int
    digest: str
    image: str
    source: str
    env: dict[str, str] = field(default_factory=dict)


class CreateArchive(AnyStep, frozen=True):
    """Make the archive `key` of the objects below the prefix `files`."""

    key: str
    files: str
    base: str
    """The key prefix that names in the archive are relative to."""


class LoadModel(ModelStep, frozen=True):
    """Have an endpoint of many models load a revision."""

    number: int
    digest: str


class SetLive(RevisionStep, frozen=True):
    """Make a revision the live one of a model on an endpoint of many models."""


class UnloadModel(RevisionStep, frozen=True):
    """Delete the archive of a revision on an endpoint of many models."""


EndpointStep = (
    CreateModel
    | DeleteModel
    | CreateEndpointConfig
    | DeleteEndpointConfig
    | CreateEndpoint
    | UpdateEndpoint
    | DeleteEndpoint
    | SetWeights
    | AwaitEndpoint
)
"""What every endpoint's plans consist of."""
ScalingStep = RegisterScaling | DeregisterScaling
Step = EndpointStep | RegisterPackage | CreateArchive | SetTags | ScalingStep
SharedStep = (
    EndpointStep
    | CreateArchive
    | SetTags
    | ScalingStep
    | LoadModel
    | SetLive
    | UnloadModel
    | DeleteSharedEndpoint
)
