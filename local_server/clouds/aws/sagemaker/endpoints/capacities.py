"""Changes of the weights and instance counts of an endpoint's variants.

Source: SageMaker API reference, UpdateEndpointWeightsAndCapacities: "When it receives the request,
SageMaker sets the endpoint status to Updating. After updating the endpoint, it sets the status to
InService." The texts of the refusals are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ....resources import Document
from ...protocol.errors import invalid
from .configs import check_serverless
from .deployments import Deployment, Variant

Changes = Sequence[Mapping[str, Any]]
"""The DesiredWeightsAndCapacities of a request."""


def changed(serving: Deployment, changes: Changes, endpoint_arn: str) -> Deployment:
    """Return a deployment with changes of its variants; raises AwsError if one is invalid."""
    after = msgspec.convert(msgspec.to_builtins(serving), Deployment)
    variants = {variant.name: variant for variant in after.variants}
    names = [change["VariantName"] for change in changes]
    if len(set(names)) < len(names):
        raise invalid("Production variant names must be unique.")
    for change in changes:
        variant = variants.get(change["VariantName"])
        if variant is None:
            raise invalid(
                f'Could not find production variant "{change["VariantName"]}" of endpoint'
                f' "{endpoint_arn}".'
            )
        _change(variant, change, least=0 if after.asynchronous is not None else 1)
    if not any(variant.weight for variant in variants.values()):
        raise invalid("At least one production variant must have a weight above 0.")
    return after


def _change(variant: Variant, change: Mapping[str, Any], least: int) -> None:
    """Apply a DesiredWeightAndCapacity to a variant; raises AwsError.

    Instances below `least` are refused: of variants with a model, those of asynchronous endpoints
    alone scale to 0 (developer guide, "Autoscale an asynchronous endpoint").
    """
    settings = change.get("ServerlessUpdateConfig")
    if settings is not None:
        if not variant.serverless:
            raise invalid(f'Production variant "{variant.name}" is not serverless.')
        variant.serverless |= settings
        check_serverless(variant.name, variant.serverless)
    count = change.get("DesiredInstanceCount")
    if count is not None and variant.serverless:
        raise invalid(f'Production variant "{variant.name}" has no instances: it is serverless.')
    if count is not None and (variant.scaling or {}).get("Status") == "ENABLED":
        raise invalid(
            f'DesiredInstanceCount of production variant "{variant.name}", which has'
            " ManagedInstanceScaling, is not available offline."
        )
    if count is not None and count < least:
        raise invalid(
            f'DesiredInstanceCount of production variant "{variant.name}" is {count}: only an'
            " asynchronous endpoint scales to 0."
        )
    variant.weight = change.get("DesiredWeight", variant.weight)
    variant.count = variant.count if count is None else count


def with_desired(shown: list[Document], desired: list[Document]) -> list[Document]:
    """Return the variants that Describe shows during a change, with what is desired of them."""
    return [
        now | {key: value for key, value in after.items() if key.startswith("Desired")}
        for now, after in zip(shown, desired, strict=True)
    ]
