"""What an inference component runs: its specification as in a request, and its container.

Sources: API reference, `InferenceComponentSpecification` and what is below it. RuntimeConfig, a
VariantName and ComputeResourceRequirements were required members before adapters could do without;
adapters are refused here. The texts are ours.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ....resources import Document
from ...protocol.errors import invalid
from ..endpoints.deployments import Deployment
from ..instance_sizes import Size
from ..model_packages import check_deployable
from ..models import Models
from ..multi_container import only_container
from ..records import MODEL, Records
from .placement import instance_size

logger = logging.getLogger(__name__)

_NOT_OFFLINE: Mapping[str, str] = {
    "BaseInferenceComponentName": (
        "adapters need a container that loads them, and TensorFlow's does not"
    ),
    "InstanceType": "it chooses one of several Specifications, which are not available either",
}
"""The refused members of a specification, and why."""
_LARGEST_COMMON_PART = 0.25


def specification_of(body: Mapping[str, Any]) -> Document:
    """Return the specification of a request; raises AwsError if it is incomplete or refused."""
    if "Specifications" in body:
        if "Specification" in body:
            raise invalid("Only one of Specification and Specifications can be specified.")
        raise invalid("Specifications is not available offline: use Specification instead.")
    if "Specification" not in body:
        raise invalid("Specification is required for an inference component.")
    specification: Document = body["Specification"]
    for field, reason in _NOT_OFFLINE.items():
        if field in specification:
            raise invalid(f"{field} of a Specification is not available offline: {reason}.")
    if ("ModelName" in specification) == ("Container" in specification):
        raise invalid("A Specification has exactly one of ModelName and Container offline.")
    if "ContainerMetricsConfig" in specification.get("Container", {}):
        raise invalid("ContainerMetricsConfig is not available offline.")
    _check_needs(specification)
    return specification


def _check_needs(specification: Mapping[str, Any]) -> None:
    needs = specification.get("ComputeResourceRequirements")
    if needs is None:
        raise invalid("ComputeResourceRequirements is required for an inference component.")
    if "AcceleratorPartitionType" in needs:
        raise invalid("AcceleratorPartitionType is not available offline.")
    least = needs["MinMemoryRequiredInMb"]
    if needs.get("MaxMemoryRequiredInMb", least) < least:
        raise invalid(
            "MaxMemoryRequiredInMb must be greater than or equal to MinMemoryRequiredInMb."
        )
    if not float(needs.get("NumberOfAcceleratorDevicesRequired", 1)).is_integer():
        raise invalid("NumberOfAcceleratorDevicesRequired must be a whole number.")


class Containers:
    """Finds the containers of specifications."""

    def __init__(self, records: Records, models: Models) -> None:
        self._records = records
        self._models = models

    async def of(
        self, region: str, specification: Mapping[str, Any], deployment: Deployment
    ) -> tuple[Document, bool]:
        """Return the container of a specification, and whether it has no network.

        Raises AwsError if its model, image or data is missing or refused. A container that the
        specification describes itself is read with the role of the endpoint's configuration.
        """
        if "Container" in specification:
            container = _as_in_a_model(specification["Container"])
            await self._models.check_container(region, container, deployment.component_access)
            return container, deployment.isolated
        model = self._records.stored(MODEL, region, specification["ModelName"])
        container = only_container(model, "for an inference component")
        if container.get("Mode") == "MultiModel":
            raise invalid("A multi-model container cannot be used for an inference component.")
        check_deployable(self._records, region, container)
        return container, deployment.isolated or bool(model.get("EnableNetworkIsolation"))


def _as_in_a_model(container: Mapping[str, Any]) -> Document:
    """Return a container's specification as a ContainerDefinition."""
    if "Image" not in container:
        raise invalid("Image is required for the Container of a Specification.")
    if "ArtifactUrl" not in container:
        raise invalid(
            "ArtifactUrl is required for the Container of a Specification offline: without it there"
            " is no model to run."
        )
    definition: Document = {"Image": container["Image"], "ModelDataUrl": container["ArtifactUrl"]}
    if "Environment" in container:
        definition["Environment"] = container["Environment"]
    return definition


def log_large_part(name: str, demand: Size, instance_type: str | None) -> None:
    """Warn of memory that the service may not have free on an instance.

    It keeps an undocumented part: a user reports that ml.g5.xlarge (16 GiB) takes components of
    1024 MB and none of 4096.
    """
    whole = instance_size(instance_type).memory
    if whole * _LARGEST_COMMON_PART <= demand.memory <= whole:
        logger.warning(
            "inference component %s: %d MB of %s have a place offline; SageMaker keeps a part of"
            " the memory that it does not document, and may refuse as much",
            name,
            demand.memory,
            instance_type,
        )
