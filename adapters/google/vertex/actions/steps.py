"""The actions of Vertex AI's plans."""

from __future__ import annotations

from typing import Any

import msgspec


class CreateEndpoint(msgspec.Struct, frozen=True, tag="create-endpoint"):
    """Create the endpoint of a model."""

    model: str
    dedicated: bool


class UploadVersion(msgspec.Struct, frozen=True, tag="upload-version"):
    """Upload a revision as a version of the model."""

    model: str
    revision: str
    number: int
    digest: str
    source: str
    spec: dict[str, Any]
    """A ModelContainerSpec (aiplatform v1)."""
    container: str
    """The fingerprint of the container, for the version's description."""


class DeleteVersion(msgspec.Struct, frozen=True, tag="delete-version"):
    """Delete a version that has been replaced as `revision`."""

    model: str
    revision: str
    version: str


class RemoveVersion(msgspec.Struct, frozen=True, tag="remove-version"):
    """Delete a version that is a revision."""

    model: str
    version: str
    digest: str


class DeleteModel(msgspec.Struct, frozen=True, tag="delete-model"):
    """Delete the model with all its versions."""

    model: str


class DeployModel(msgspec.Struct, frozen=True, tag="deploy-model"):
    """Deploy a revision's version on the endpoint."""

    model: str
    revision: str
    deployed: dict[str, Any]
    """A DeployedModel (aiplatform v1) without its `model`."""


class ScaleModel(msgspec.Struct, frozen=True, tag="scale-model"):
    """Change the replicas of a deployment."""

    model: str
    revision: str
    deployment: str
    scaling: dict[str, Any]


class UndeployModel(msgspec.Struct, frozen=True, omit_defaults=True, tag="undeploy-model"):
    """Undeploy a revision without traffic, or one `deployment` of it."""

    model: str
    revision: str
    deployment: str = ""


class TakeOff(msgspec.Struct, frozen=True, tag="take-off"):
    """Undeploy a deployment, with traffic or without."""

    model: str
    deployment: str


class SetTraffic(msgspec.Struct, frozen=True, tag="set-traffic"):
    """Give revisions their percentages of the traffic."""

    model: str
    split: dict[str, int]


class SetAliases(msgspec.Struct, frozen=True, tag="set-aliases"):
    """Give a revision's version the aliases of the live one."""

    model: str
    revision: str


class DeleteEndpoint(msgspec.Struct, frozen=True, tag="delete-endpoint"):
    """Delete the endpoint, which has no deployments."""

    model: str


EndpointStep = (
    CreateEndpoint
    | DeployModel
    | ScaleModel
    | UndeployModel
    | TakeOff
    | SetTraffic
    | DeleteEndpoint
)
VersionStep = UploadVersion | DeleteVersion | RemoveVersion | DeleteModel | SetAliases
Step = EndpointStep | VersionStep
