"""Application Auto Scaling, as far as SageMaker's variants and inference components need it.

Targets and policies are kept and shown. No metrics are collected offline, so no policy changes an
instance count, and a policy has no alarms. Source: botocore's model of application-autoscaling for
the fields; SageMaker developer guide, "Register a model", for the least capacity of a real-time
variant, "Autoscale an asynchronous endpoint" and "Scale an endpoint to zero instances" for 0,
"Configure model auto scaling with the console" for burstable instances. No page says what becomes
of the target of an inference component that is deleted: here it remains until it is deregistered.
The texts of the refusals are ours, except that on tags of an existing target (terraform-provider-
aws#31839).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from ..pages import page
from ..resources import Document
from .protocol.arns import ACCOUNT
from .protocol.errors import AwsError, invalid
from .protocol.json_app import Authorize, JsonApp
from .sagemaker.components.table import ComponentTable
from .sagemaker.endpoints.scalable_targets import ScalableTargets
from .sagemaker.endpoints.table import EndpointTable

TARGET = "AnyScaleFrontendService."
NAMESPACE = "sagemaker"
_INSTANCES = "sagemaker:variant:DesiredInstanceCount"
_COPIES = "sagemaker:inference-component:DesiredCopyCount"
_VARIANT = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
_COMPONENT = re.compile(r"inference-component/([^/]+)")
_SHAPES = {_INSTANCES: _VARIANT, _COPIES: _COMPONENT}
"""The form of the resource ids of each dimension."""
_BURSTABLE = re.compile(r"ml\.t\d")
_METRICS = {_INSTANCES: "SageMakerVariant", _COPIES: "SageMakerInferenceComponent"}
"""How the predefined metrics of each dimension begin."""
_PAGE = 50
_POLICY = "TargetTrackingScalingPolicyConfiguration"


class AutoScaling:
    """The operations on scalable targets and scaling policies."""

    def __init__(
        self,
        targets: ScalableTargets,
        endpoints: EndpointTable,
        components: ComponentTable,
        now: Callable[[], float],
    ) -> None:
        self._targets = targets
        self._endpoints = endpoints
        self._components = components
        self._now = now

    def app(self, authorize: Authorize | None = None) -> JsonApp:
        """Return the service's HTTP application."""
        handlers = {
            "RegisterScalableTarget": self.register,
            "DeregisterScalableTarget": self.deregister,
            "DescribeScalableTargets": self.describe,
            "PutScalingPolicy": self.put_policy,
            "DeleteScalingPolicy": self.delete_policy,
            "DescribeScalingPolicies": self.describe_policies,
        }
        return JsonApp("application-autoscaling", TARGET, handlers, authorize=authorize)

    def register(self, region: str, body: Document) -> Document:
        """Register a variant or a component, or change the capacities of a registered one."""
        resource = _resource(body)
        lowest = self._least_capacity(region, resource)
        existing = self._targets.find(region, resource)
        if existing and body.get("Tags"):
            raise invalid(
                "The scalable target that you tried to tag already exists. To update tags on an"
                " existing scalable target, use the TagResource API."
            )
        least = body.get("MinCapacity", (existing or {}).get("MinCapacity"))
        most = body.get("MaxCapacity", (existing or {}).get("MaxCapacity"))
        if least is None or most is None:
            raise invalid("MinCapacity and MaxCapacity are required for a new scalable target.")
        _check_capacity(least, most, lowest)
        if body.get("SuspendedState"):
            raise invalid("SuspendedState is not available offline.")
        target = existing or self._new_target(region, resource, body["ScalableDimension"])
        self._targets.put(region, target | {"MinCapacity": least, "MaxCapacity": most})
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def _new_target(self, region: str, resource: str, dimension: str) -> Document:
        identity = uuid.uuid4().hex[:27]
        place = f"arn:aws:application-autoscaling:{region}:{ACCOUNT}"
        role = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
        return {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": resource,
            "ScalableDimension": dimension,
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/{role}"
            "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
            "CreationTime": self._now(),
            "ScalableTargetARN": f"{place}:scalable-target/{identity}",
        }

    def _least_capacity(self, region: str, resource: str) -> int:
        """Return the least capacity of a target; raises AwsError for one that cannot be scaled."""
        match = _COMPONENT.fullmatch(resource)
        if match is not None:
            if self._components.find(region, match[1]) is None:
                raise invalid(f"SageMaker inference component does not exist: {resource}")
            return 0
        return self._least_instances(region, resource)

    def _least_instances(self, region: str, resource: str) -> int:
        match = _VARIANT.fullmatch(resource)
        endpoint = self._endpoints.find(region, match[1]) if match else None
        serving = endpoint.serving if endpoint else None
        variants = {variant.name: variant for variant in serving.variants} if serving else {}
        variant = variants.get(match[2]) if match else None
        if serving is None or variant is None:
            raise invalid(f"SageMaker endpoint variant does not exist: {resource}")
        if variant.serverless:
            raise invalid(f"SageMaker endpoint variant has no instances: {resource}")
        if variant.container is None:
            raise invalid(
                f"The instances of {resource}, which hosts inference components, cannot be scaled"
                " offline: scale the components, with ManagedInstanceScaling of the variant."
            )
        if _BURSTABLE.match(variant.instance or ""):
            raise invalid(
                f"The burstable instances ({variant.instance}) of {resource} cannot be scaled."
            )
        return 0 if serving.asynchronous is not None else 1

    def deregister(self, region: str, body: Document) -> Document:
        """Deregister a target, with its policies."""
        resource = _resource(body)
        if not self._targets.delete(region, resource):
            raise _no_target(body)
        return {}

    def describe(self, region: str, body: Document) -> Document:
        """Return a page of targets."""
        _check_namespace(body)
        _check_dimension(body, "ResourceIds")
        chosen = [
            (target["ResourceId"], target)
            for target in self._targets.all(region)
            if target["ResourceId"] in body.get("ResourceIds", [target["ResourceId"]])
            and _is_of_dimension(target, body)
        ]
        return _page("ScalableTargets", chosen, body)

    def put_policy(self, region: str, body: Document) -> Document:
        """Create or replace a target tracking policy."""
        resource = _resource(body)
        if self._targets.find(region, resource) is None:
            raise _no_target(body)
        if body.get("PolicyType") != "TargetTrackingScaling" or _POLICY not in body:
            raise invalid(f"Only TargetTrackingScaling with {_POLICY} is available offline.")
        _check_metric(body[_POLICY], body["ScalableDimension"])
        name = body["PolicyName"]
        place = f"arn:aws:autoscaling:{region}:{ACCOUNT}:scalingPolicy"
        policy_arn = f"{place}:resource/{NAMESPACE}/{resource}:policyName/{name}"
        kept = {key: value for key, value in body.items() if key != "ServiceNamespace"}
        stored = {"PolicyARN": policy_arn, "CreationTime": self._now(), "Alarms": []}
        self._targets.put_policy(region, kept | stored | {"ServiceNamespace": NAMESPACE})
        return {"PolicyARN": policy_arn, "Alarms": []}

    def delete_policy(self, region: str, body: Document) -> Document:
        """Delete a policy."""
        resource = _resource(body)
        if not self._targets.delete_policy(region, body):
            raise AwsError(
                "ObjectNotFoundException",
                f"No scaling policy found for resource ID: {resource},"
                f" policy name: {body['PolicyName']}",
            )
        return {}

    def describe_policies(self, region: str, body: Document) -> Document:
        """Return a page of policies."""
        _check_namespace(body)
        _check_dimension(body, "ResourceId")
        names = body.get("PolicyNames")
        chosen = [
            (policy["PolicyARN"], policy)
            for policy in self._targets.policies(region, body.get("ResourceId", ""))
            if (names is None or policy["PolicyName"] in names) and _is_of_dimension(policy, body)
        ]
        return _page("ScalingPolicies", chosen, body)


def _check_namespace(body: Mapping[str, Any]) -> None:
    if body["ServiceNamespace"] != NAMESPACE:
        raise invalid(f"The namespace {body['ServiceNamespace']} is not available offline.")


def _check_dimension(body: Mapping[str, Any], names: str) -> None:
    """Raise AwsError for a dimension without resources (API reference, `ScalableDimension`)."""
    if "ScalableDimension" in body and not body.get(names):
        raise invalid(f"{names} is required with ScalableDimension.")


def _is_of_dimension(stored: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    dimension = stored["ScalableDimension"]
    return bool(body.get("ScalableDimension", dimension) == dimension)


def _resource(body: Mapping[str, Any]) -> str:
    """Return the resource id; raises AwsError for anything but instances or copies."""
    _check_namespace(body)
    dimension, resource = body["ScalableDimension"], str(body["ResourceId"])
    if dimension not in _SHAPES:
        raise invalid(f"The dimension {dimension} is not available offline.")
    if not _SHAPES[dimension].fullmatch(resource):
        raise invalid(f"{resource} is not a resource id of the dimension {dimension}.")
    return resource


def _check_capacity(least: int, most: int, lowest: int) -> None:
    if least < lowest:
        raise invalid(
            f"Minimum capacity must be greater than or equal to {lowest}."
            + (" Of variants, those of asynchronous endpoints scale to 0." if lowest else "")
        )
    if most < max(least, 1):
        raise invalid("Maximum capacity must be at least 1 and not less than minimum capacity.")


def _check_metric(policy: Mapping[str, Any], dimension: str) -> None:
    kinds = [
        name for name in ("Predefined", "Customized") if f"{name}MetricSpecification" in policy
    ]
    if len(kinds) != 1:
        raise invalid("A policy has exactly one of a predefined and a customized metric.")
    if "ResourceLabel" in policy.get("PredefinedMetricSpecification", {}):
        # "You can't specify a resource label unless the metric type is ALBRequestCountPerTarget".
        raise invalid("ResourceLabel is not supported for the metrics of SageMaker.")
    metric = policy.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "")
    if metric and not metric.startswith(_METRICS[dimension]):
        raise invalid(f"{metric} is not a metric of {dimension}.")
    if policy["TargetValue"] <= 0:
        raise invalid("TargetValue must be greater than 0.")


def _no_target(body: Mapping[str, Any]) -> AwsError:
    return AwsError(
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: {NAMESPACE},"
        f" resource ID: {body['ResourceId']}, scalable dimension: {body['ScalableDimension']}",
        HTTPStatus.BAD_REQUEST,
    )


def _page(key: str, items: list[tuple[str, Document]], body: Mapping[str, Any]) -> Document:
    try:
        listed, token = page(items, body.get("MaxResults", _PAGE), body.get("NextToken"))
    except ValueError as error:
        raise AwsError("InvalidNextTokenException", "Invalid next token.") from error
    answer: Document = {key: listed}
    return answer | ({"NextToken": token} if token else {})
