"""The actions of Vertex AI's plans."""

from __future__ import annotations

from typing import Any

from msgspec import field

from ....actions import ModelStep, RevisionStep


class CreateEndpoint(ModelStep, frozen=True):
    """Create the endpoint of a model."""

    dedicated: bool
    fields: dict[str, Any] = field(default_factory=dict)
    """The other fields of the Endpoint (aiplatform v1)."""
    labels: dict[str, str] = field(default_factory=dict)
    """The target's labels."""


class UploadVersion(RevisionStep, frozen=True):
    """Upload a revision as a version of the model."""

    number: int
    digest: str
    source: str
    spec: dict[str, Any]
    """A ModelContainerSpec (aiplatform v1)."""
    container: str
    """The fingerprint of the container, for the version's description."""
    fields: dict[str, Any] = field(default_factory=dict)
    """The other fields of the Model (aiplatform v1)."""
    labels: dict[str, str] = field(default_factory=dict)


class SetLabels(ModelStep, frozen=True):
    """Add labels to the endpoint, or to a version of the model."""

    labels: dict[str, str]
    version: str = ""


class DeleteVersion(RevisionStep, frozen=True):
    """Delete a version that has been replaced as `revision`."""

    version: str


class RemoveVersion(ModelStep, frozen=True):
    """Delete a version that is a revision."""

    version: str
    digest: str


class DeleteModel(ModelStep, frozen=True):
    """Delete the model with all its versions."""


class DeployModel(RevisionStep, frozen=True):
    """Deploy a revision's version on the endpoint."""

    deployed: dict[str, Any]
    """A DeployedModel (aiplatform v1) without its `model`."""


class ScaleModel(RevisionStep, frozen=True):
    """Change the replicas of a deployment."""

    deployment: str
    scaling: dict[str, Any]


class UndeployModel(RevisionStep, frozen=True):
    """Undeploy a revision without traffic, or one `deployment` of it."""

    deployment: str = ""


class TakeOff(ModelStep, frozen=True):
    """Undeploy a deployment, with traffic or without."""

    deployment: str


class SetTraffic(ModelStep, frozen=True):
    """Give revisions their percentages of the traffic."""

    split: dict[str, int]
    before: dict[str, int] | None = None
    """The percentages when the plan was made; None in plan files of an earlier cloudserve."""


class SetAliases(RevisionStep, frozen=True):
    """Give a revision's version the aliases of the live one."""


class DeleteEndpoint(ModelStep, frozen=True):
    """Delete the endpoint, which has no deployments."""


EndpointStep = (
    CreateEndpoint
    | DeployModel
    | ScaleModel
    | UndeployModel
    | TakeOff
    | SetTraffic
    | DeleteEndpoint
)
VersionStep = UploadVersion | DeleteVersion | RemoveVersion | DeleteModel | SetAliases | SetLabels
Step = EndpointStep | VersionStep
