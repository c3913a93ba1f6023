"""What a DeployedModel must not be: rules on its fields, its endpoint and its model.

Sources: the field descriptions of aiplatform v1's DeployedModel. That the model has to be in the
endpoint's location is the service's behaviour (Ark-kun/google_cloud_mlflow#4), although the
description of `DeployedModel.model` allows another one. The texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....status import Code
from ...google.common.discovery import snake
from ...google.common.errors import ApiError
from ...resources import Document
from ..explanation.rules import check_spec, inherited
from ..records import Version, failed_precondition, invalid
from ..validation import check_service_account

_NOT_OFFLINE = (
    "checkpointId",
    "fasterDeploymentConfig",
    "gdcConnectedModel",
    "speculativeDecodingSpec",
    "systemLabels",
)
"""Fields of models that are not a user's own: Model Garden's, Gemini's, those on GDC."""


def check_deployed_model(
    endpoint: Mapping[str, Any], fields: Mapping[str, Any], version: Version
) -> None:
    """Refuse fields that the service refuses, or that have no effect offline (ApiError)."""
    for name in _NOT_OFFLINE:
        if fields.get(name):
            text = f"deployed_model.{snake(name)} is not available offline."
            raise ApiError(Code.UNIMPLEMENTED, text)
    check_service_account(fields.get("serviceAccount", ""), "deployed_model.service_account")
    _check_location(endpoint["name"], version.model)
    _check_dedicated(endpoint, version)


def explained(fields: Mapping[str, Any], version: Version) -> Document:
    """Return the `explanationSpec` of a deployment; {} without one. Raises ApiError.

    Source: aiplatform v1, `DeployedModel.explanationSpec` (a field that is not set is inherited
    from the model) and `disableExplanations`.
    """
    model = version.document.get("explanationSpec", {})
    spec = inherited(fields.get("explanationSpec", {}), model)
    if fields.get("disableExplanations") or not spec:
        return {"explanationSpec": {}} if fields.get("explanationSpec") else {}
    check_spec(spec, version.image)
    return {"explanationSpec": spec}


def _check_location(endpoint: str, model: str) -> None:
    there, here = (name.split("/")[3] for name in (model, endpoint))
    if there != here:
        raise invalid(
            f"Model `{model}` is in {there}, and Endpoint `{endpoint}` in {here}: both must be in"
            " the same location."
        )


def _check_dedicated(endpoint: Mapping[str, Any], version: Version) -> None:
    """Refuse a model with a route prefix on a shared endpoint (ApiError).

    Source: aiplatform v1, `ModelContainerSpec.invokeRoutePrefix`: "If this field is set, the Model
    can only be deployed to dedicated endpoint."
    """
    prefix = version.document.get("containerSpec", {}).get("invokeRoutePrefix")
    if prefix and not endpoint.get("dedicatedEndpointEnabled"):
        raise failed_precondition(
            f"Model `{version.name}` has an invoke_route_prefix and can only be deployed to a"
            " dedicated endpoint."
        )
