"""The actions of SageMaker's plans."""

from __future__ import annotations

from typing import Any

import msgspec


class CreateModel(msgspec.Struct, frozen=True, omit_defaults=True, tag="create-model"):
    """Create a SageMaker Model from a prefix or an archive."""

    model: str
    name: str
    number: int
    digest: str
    image: str
    source: str
    role_arn: str
    env: dict[str, str] = {}
    code: str = ""
    """The key prefix of the model's own `code/`, which is copied to `code_target`; or ""."""
    code_target: str = ""
    many: bool = False
    """Whether the source is a prefix of archives of many models."""
    network: dict[str, Any] = {}
    """The network arguments of CreateModel."""


class DeleteModel(msgspec.Struct, frozen=True, tag="delete-model"):
    """Delete the SageMaker Model of a revision's digest."""

    model: str
    name: str
    digest: str


class CreateEndpointConfig(
    msgspec.Struct, frozen=True, omit_defaults=True, tag="create-endpoint-config"
):
    """Create an endpoint configuration."""

    model: str
    config: str
    variants: list[dict[str, Any]]
    settings: dict[str, Any] = {}
    """The other arguments of CreateEndpointConfig."""


class DeleteEndpointConfig(msgspec.Struct, frozen=True, tag="delete-endpoint-config"):
    """Delete an endpoint configuration."""

    model: str
    config: str


class CreateEndpoint(msgspec.Struct, frozen=True, omit_defaults=True, tag="create-endpoint"):
    """Create an endpoint with a configuration."""

    model: str
    endpoint: str
    config: str
    variant: str = ""
    """The variant whose log is shown if the endpoint fails."""


class UpdateEndpoint(msgspec.Struct, frozen=True, omit_defaults=True, tag="update-endpoint"):
    """Move an endpoint to a configuration."""

    model: str
    endpoint: str
    config: str
    variant: str = ""
    policy: dict[str, Any] = {}
    """The DeploymentConfig of UpdateEndpoint; {} leaves it to SageMaker."""


class DeleteEndpoint(msgspec.Struct, frozen=True, omit_defaults=True, tag="delete-endpoint"):
    """Delete an endpoint that failed, or in any state if `idle`."""

    model: str
    endpoint: str
    idle: bool = False


class DeleteSharedEndpoint(msgspec.Struct, frozen=True, tag="delete-shared-endpoint"):
    """Delete an endpoint of many models, if no other model is on it."""

    model: str
    endpoint: str


class SetWeights(msgspec.Struct, frozen=True, tag="set-weights"):
    """Give the variants of an endpoint their percentages of the traffic."""

    model: str
    endpoint: str
    revision: str
    weights: dict[str, int]


class AwaitEndpoint(msgspec.Struct, frozen=True, omit_defaults=True, tag="await-endpoint"):
    """Wait for a change of an endpoint that has begun."""

    endpoint: str
    variant: str = ""


class RegisterPackage(msgspec.Struct, frozen=True, omit_defaults=True, tag="register-package"):
    """Register a revision in a model package group."""

    model: str
    group: str
    number: int
    digest: str
    image: str
    source: str
    env: dict[str, str] = {}


class CreateArchive(msgspec.Struct, frozen=True, tag="create-archive"):
    """Make the archive `key` of the objects below the prefix `files`."""

    key: str
    files: str
    base: str
    """The key prefix that names in the archive are relative to."""


class LoadModel(msgspec.Struct, frozen=True, tag="load-model"):
    """Have an endpoint of many models load a revision."""

    model: str
    number: int
    digest: str


class SetLive(msgspec.Struct, frozen=True, tag="set-live"):
    """Make a revision the live one of a model on an endpoint of many models."""

    model: str
    revision: str


class UnloadModel(msgspec.Struct, frozen=True, tag="unload-model"):
    """Delete the archive of a revision on an endpoint of many models."""

    model: str
    revision: str


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
Step = EndpointStep | RegisterPackage | CreateArchive
SharedStep = EndpointStep | CreateArchive | LoadModel | SetLive | UnloadModel | DeleteSharedEndpoint
