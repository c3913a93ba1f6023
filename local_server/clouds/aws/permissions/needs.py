"""The permissions that requests need, by service.

Source: Service Authorization Reference, "Actions, resources, and condition keys". A creation with
tags needs `sagemaker:AddTags` as well (aws/aws-cdk#32294, #26012). The names in its ARNs are
in lower case (philschmid/cdk-samples#2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from ...resources import Document
from ..protocol.arns import ACCOUNT, arn
from .policy import PASSED_TO_SERVICE, REQUESTED_REGION, Need

Needs = Callable[[str, str, Document], Iterator[Need]]
"""Yields the needs of an operation in a region, from its input."""

SAGEMAKER = "sagemaker.amazonaws.com"
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "EndpointName": "endpoint",
        "EndpointConfigName": "endpoint-config",
        "InferenceComponentName": "inference-component",
        "ModelName": "model",
        "TransformJobName": "transform-job",
        "ModelPackageGroupName": "model-package-group",
        "ModelPackageName": "model-package",
        "ModelPackageArn": "model-package",
    }
)
"""The kind of resource by the member that names it."""
_OF_ALL = ("CreateEndpoint", "CreateInferenceComponent", "UpdateEndpoint")
"""These need their permission on all that they name: an endpoint, and its configuration or the
component that it hosts."""
_PASS_ROLES = ("CreateEndpointConfig", "CreateModel")


def of_sagemaker(operation: str, region: str, body: Document) -> Iterator[Need]:
    """Yield the needs of an operation of the control plane."""
    action, context = f"sagemaker:{operation}", {REQUESTED_REGION: region}
    resources = list(_resources(operation, region, body))
    for resource in resources:
        yield Need(action, resource, context)
    if body.get("Tags") and operation != "AddTags":
        yield Need("sagemaker:AddTags", resources[0], context)
    if operation in _PASS_ROLES and body.get("ExecutionRoleArn"):
        passed = context | {PASSED_TO_SERVICE: SAGEMAKER}
        yield Need("iam:PassRole", body["ExecutionRoleArn"], passed)


def deleting(is_scaled: Callable[[str, str], bool], needs: Needs) -> Needs:
    """Return needs with that of deleting an endpoint whose variants are scaled.

    SageMaker deregisters them with the permissions of the caller (developer guide, "Delete
    endpoints configured for auto scaling"; awslabs/stable-diffusion-aws-extension#161).
    """

    def with_targets(operation: str, region: str, body: Document) -> Iterator[Need]:
        yield from needs(operation, region, body)
        if operation == "DeleteEndpoint" and is_scaled(region, body["EndpointName"]):
            yield from of_scaling("DeregisterScalableTarget", region, body)

    return with_targets


def _resources(operation: str, region: str, body: Document) -> Iterator[str]:
    """Yield the ARNs of the resources that a permission must cover."""
    if "ResourceArn" in body:
        yield body["ResourceArn"]
        return
    if operation.startswith("List") and operation != "ListModelPackages":
        yield "*"
        return
    if operation == "CreateModelPackage":
        yield _arn(region, "model-package", f"{body.get('ModelPackageGroupName', '')}/1")
        return
    named = [name for name in _KINDS if name in body]
    chosen = named if operation in _OF_ALL else _subject(operation, named)
    for name in chosen:
        yield _arn(region, _KINDS[name], str(body[name]))
    if not chosen:
        yield "*"


def _subject(operation: str, named: list[str]) -> list[str]:
    """Return the member that names what an operation is about.

    `CreateTransformJob` names a model too.
    """
    own = [name for name in named if operation.endswith(name.removesuffix("Name"))]
    return (own or named)[:1]


def _arn(region: str, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else arn(region, kind, name.lower())


def of_runtime(operation: str, region: str, body: Document) -> Iterator[Need]:
    """Yield the needs of an invocation."""
    resource = arn(region, "endpoint", body["EndpointName"].lower())
    yield Need(f"sagemaker:{operation}", resource, {REQUESTED_REGION: region})


def of_cloudwatch(operation: str, region: str, body: Document) -> Iterator[Need]:
    """Yield the needs of an operation on alarms or metrics."""
    alarms = body.get("AlarmNames") or [body.get("AlarmName", "*")]
    prefix = f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:"
    resources = [prefix + name for name in alarms] if "Alarm" in operation else ["*"]
    for resource in resources:
        yield Need(f"cloudwatch:{operation}", resource, {REQUESTED_REGION: region})


def of_scaling(operation: str, region: str, _: Document) -> Iterator[Need]:
    """Yield the needs of an operation on scalable targets, whose ARNs have unknown ends."""
    resource = f"arn:aws:application-autoscaling:{region}:{ACCOUNT}:scalable-target/*"
    yield Need(f"application-autoscaling:{operation}", resource, {REQUESTED_REGION: region})


def of_quotas(operation: str, region: str, _: Document) -> Iterator[Need]:
    """Yield the needs of an operation on service quotas."""
    yield Need(f"servicequotas:{operation}", "*", {REQUESTED_REGION: region})


def of_logs(operation: str, region: str, body: Document) -> Iterator[Need]:
    """Yield the needs of an operation on log groups and streams."""
    stream, groups = body.get("logStreamName", ""), f"arn:aws:logs:{region}:{ACCOUNT}:log-group:"
    group = body.get("logGroupName") or body.get("logGroupIdentifier", "")
    group = group.removeprefix(groups).removesuffix(":*")
    resource = f"{groups}{group}:log-stream:{stream}"
    yield Need(f"logs:{operation}", resource, {REQUESTED_REGION: region})


def of_ecr(operation: str, region: str, body: Document) -> Iterator[Need]:
    """Yield the needs of an operation on repositories and their images."""
    account, context = body.get("registryId", ACCOUNT), {REQUESTED_REGION: region}
    names = [body["repositoryName"]] if "repositoryName" in body else body.get("repositoryNames")
    for name in names or ["*"]:
        resource = f"arn:aws:ecr:{region}:{account}:repository/{name}"
        yield Need(f"ecr:{operation}", resource, context)
