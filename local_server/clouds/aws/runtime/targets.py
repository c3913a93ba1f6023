"""What answers an invocation: a variant's container, or an inference component's.

The service's texts on inference components are in users' reports: langchain-ai/langchain#16150 (a
name is required) and BerriAI/litellm#37766 (its error code, a name is not allowed); AWS Machine
Learning Blog, "Unlock cost savings with the new scale down to zero feature" (no capacity). The text
for a component that does not exist is ours.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..protocol.errors import AwsError
from ..sagemaker.components.deployer import ComponentDeployer
from ..sagemaker.endpoints.deployments import Deployment, Variant
from .requests import CodedError, InvokeRequest, validation_error


@dataclass(frozen=True, slots=True)
class Target:
    """A container by its key in the pool, and whose it is."""

    variant: Variant
    key: str
    component: str = ""
    copies: int = 0
    """How many copies the component has."""


class NoCapacityError(AwsError):
    """No copy of a component answers."""

    def __init__(self) -> None:
        super().__init__(
            "ValidationError",
            "Inference Component has no capacity to process this request. ApplicationAutoScaling"
            " may be in-progress (if configured) or try to increase the capacity by invoking"
            " UpdateInferenceComponentRuntimeConfig API.",
        )


def variant_target(deployment: Deployment, request: InvokeRequest, rng: random.Random) -> Target:
    """Choose a variant's container; raises AwsError."""
    if request.component is not None:
        raise validation_error(
            "Inference Component Name header is not allowed for endpoints to which you dont plan to"
            " deploy inference components. Please remove the Inference Component Name header and"
            " try again."
        )
    variant = _variant(deployment, request, rng)
    return Target(variant, deployment.key(variant))


def _variant(deployment: Deployment, request: InvokeRequest, rng: random.Random) -> Variant:
    if request.variant is None:
        return pick(deployment.variants, rng)
    return _named(deployment, request, request.variant)


def _named(deployment: Deployment, request: InvokeRequest, name: str) -> Variant:
    for variant in deployment.variants:
        if variant.name == name:
            return variant
    raise validation_error(f"Variant {name} not found for endpoint {request.endpoint}.")


def pick(variants: list[Variant], rng: random.Random) -> Variant:
    """Choose a variant with a probability proportional to its weight."""
    weights = [variant.weight for variant in variants]
    if not any(weights):
        raise validation_error("No production variant has a weight above 0.")
    return rng.choices(variants, weights)[0]


async def component_target(
    deployment: Deployment, request: InvokeRequest, components: ComponentDeployer
) -> Target:
    """Return the container of the named component; raises AwsError, NoCapacityError."""
    if request.component is None:
        raise CodedError(
            "ValidationError",
            "Inference Component Name header is required for endpoints to which you plan to deploy"
            " inference components. Please include Inference Component Name header or consider"
            " using SageMaker models.",
            extra={"ErrorCode": "INFERENCE_COMPONENT_NAME_MISSING"},
        )
    for field, value in (
        ("TargetModel", request.model),
        ("TargetContainerHostname", request.container),
    ):
        if value is not None:
            raise validation_error(f"{field} is not supported for inference components.")
    component = await components.serving(request.region, request.component)
    if component is None or component.endpoint != request.endpoint:
        raise validation_error(
            f"Inference Component {request.component} not found for endpoint {request.endpoint}."
        )
    variant = _named(deployment, request, component.variant)
    if request.variant not in {None, variant.name}:
        raise validation_error(
            f"Inference Component {component.name} is not hosted by variant {request.variant}."
        )
    if component.serving is None or not component.running:
        raise NoCapacityError
    return Target(variant, component.serving.key, component.name, component.running)
