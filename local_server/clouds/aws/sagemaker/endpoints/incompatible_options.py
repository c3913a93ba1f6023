"""Options that the service does not support together.

The error texts are ours, except one: an asynchronous endpoint cannot become a real-time endpoint
(sagemaker-python-sdk#3124).
Sources: SageMaker developer guide, "Serverless Inference" (feature exclusions), "Deployment
guardrails" (exclusions; "only apply to Asynchronous inference and Real-time inference endpoint
types"), "Shadow tests" (exclusions); API reference, `CreateEndpointConfig`. With Inf1 instances a
DeploymentConfig is not refused by the service: it moves all traffic at a time, without a canary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...protocol.errors import invalid
from ..models import check_no_source
from ..multi_container import only_container
from .deployments import Deployment, Variant

_NOT_SERVERLESS = (
    "DataCaptureConfig",
    "AsyncInferenceConfig",
    "ShadowProductionVariants",
    "VpcConfig",
    "EnableNetworkIsolation",
)
_INF1 = "ml.inf1."
_NOT_SERVERLESS_MODELS = ("VpcConfig", "EnableNetworkIsolation")


def check_config(body: Mapping[str, Any]) -> None:
    """Raise AwsError if options of a configuration are mutually exclusive."""
    variants, shadows = body["ProductionVariants"], body.get("ShadowProductionVariants", [])
    if shadows and (len(variants), len(shadows)) != (1, 1):
        raise invalid("A shadow variant needs exactly one production variant, and is the only one.")
    if shadows and "AsyncInferenceConfig" in body:
        raise invalid("ShadowProductionVariants is not supported with AsyncInferenceConfig.")
    if shadows and any(v.get("InstanceType", "").startswith(_INF1) for v in (*variants, *shadows)):
        raise invalid("ShadowProductionVariants is not supported with Inf1 instances.")
    if not any(variant.get("InitialVariantWeight", 1) for variant in variants):
        raise invalid("Production variants that all have a weight of 0 are not available offline.")
    serverless = [v for v in (*variants, *shadows) if "ServerlessConfig" in v]
    if serverless:
        _check_serverless(body, len(serverless))
    _check_async(body)


def _check_serverless(body: Mapping[str, Any], count: int) -> None:
    if count < len(body["ProductionVariants"]):
        raise invalid("Serverless and instance-based production variants cannot be mixed.")
    for field in _NOT_SERVERLESS:
        if body.get(field):
            raise invalid(f"{field} is not supported for serverless production variants.")
    if count > 1:
        raise invalid("An endpoint has no more than one serverless production variant.")


def _check_async(body: Mapping[str, Any]) -> None:
    output = body.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
    if "AsyncInferenceConfig" in body and "S3OutputPath" not in output:
        raise invalid("S3OutputPath is required for AsyncInferenceConfig.")
    if output.get("NotificationConfig", {}).get("IncludeInferenceResponseIn"):
        # Users' code reads it from `responseBody.content`, in base64 after a success and as text
        # after a failure (morph-studio/moriarty, `sqs_bridge.py`). No message is on record.
        raise invalid(
            "IncludeInferenceResponseIn is not available offline: AWS documents up to which size a"
            " response is included, but not how. The response is in the bucket in any case."
        )


def check_serverless_model(model: Mapping[str, Any]) -> None:
    """Raise AwsError for a model that a serverless endpoint cannot serve."""
    container = only_container(model, "for a serverless endpoint")
    check_no_source(container, "serverless endpoints")
    if container.get("Mode") == "MultiModel":
        raise invalid("A multi-model container cannot be used for a serverless endpoint.")
    for field in _NOT_SERVERLESS_MODELS:
        if model.get(field):
            raise invalid(f"{field} of a model is not supported for serverless endpoints.")


def check_shadowed_model(model: Mapping[str, Any]) -> None:
    """Raise AwsError for a model that cannot be used with shadow variants."""
    container = only_container(model, "with ShadowProductionVariants")
    if container.get("Mode") == "MultiModel":
        raise invalid("A multi-model container cannot be used with ShadowProductionVariants.")


def check_stays_async(endpoint: str, before: Deployment, after: Deployment) -> None:
    """Raise AwsError if an update would turn an asynchronous endpoint into a real-time one."""
    if before.asynchronous is not None and after.asynchronous is None:
        raise invalid(
            f"The AsyncInferenceConfig parameter cannot be removed from this endpoint {endpoint}."
        )


def check_guarded(
    policy: Mapping[str, Any], before: Sequence[Variant], after: Sequence[Variant]
) -> None:
    """Raise AwsError if a DeploymentConfig cannot move between the variants of two deployments."""
    if {variant.name for variant in before} != {variant.name for variant in after}:
        raise invalid(
            "The new endpoint configuration must have the same variant names as the old one when"
            " a DeploymentConfig is specified."
        )
    if "RollingUpdatePolicy" in policy and len(after) > 1:
        raise invalid("RollingUpdatePolicy is not supported for multi-variant endpoints.")


def check_guardable(policy: Mapping[str, Any] | None, variants: Sequence[Variant]) -> None:
    """Raise AwsError for a DeploymentConfig of an endpoint that has no deployment guardrails."""
    if policy and any(variant.serverless for variant in variants):
        raise invalid("DeploymentConfig is not supported for serverless endpoints.")
    if policy and any((variant.instance or "").startswith(_INF1) for variant in variants):
        raise invalid("DeploymentConfig is not available offline with Inf1 instances.")
