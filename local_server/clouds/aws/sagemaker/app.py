"""SageMaker control plane (JSON 1.1): the table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...objects.store.store import ObjectStore
from ...resources import Document
from ..protocol.json_app import Authorize, Handler, JsonApp
from .components.components import Components
from .components.deployer import ComponentDeployer
from .components.specification import Containers
from .endpoints.configs import EndpointConfigs
from .endpoints.endpoints import Endpoints
from .image_manifests import ImageManifests
from .model_packages import ModelPackages
from .models import Models
from .records import Records
from .transform.jobs import TransformJobs

TARGET = "SageMaker."
_NO_RECOMMENDATIONS = "this machine says nothing about the instances that it would compare"
_NO_JOBS = "cloudserve serves models, and trains none"
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "CreateInferenceRecommendationsJob": _NO_RECOMMENDATIONS,
        "CreateAIRecommendationJob": _NO_RECOMMENDATIONS,
        "CreateTrainingJob": _NO_JOBS,
        "CreateHyperParameterTuningJob": _NO_JOBS,
    }
)
"""Why operations are refused that users expect beside an endpoint."""


def sagemaker(  # noqa: PLR0913 - each is a part with tests of its own
    records: Records,
    store: ObjectStore,
    images: ImageManifests,
    endpoints: Endpoints,
    transforms: TransformJobs,
    deployer: ComponentDeployer,
    *,
    authorize: Authorize | None = None,
) -> JsonApp:
    """Return the control plane's HTTP application."""
    packages = ModelPackages(records)
    models, configs = Models(records, store, packages, images), EndpointConfigs(records)
    components = Components(records, Containers(records, models), deployer)
    return JsonApp(
        "sagemaker",
        TARGET,
        {
            "CreateModel": models.create,
            "DescribeModel": models.describe,
            "ListModels": models.list,
            "DeleteModel": models.delete,
            "CreateEndpointConfig": configs.create,
            "DescribeEndpointConfig": configs.describe,
            "ListEndpointConfigs": configs.list,
            "DeleteEndpointConfig": configs.delete,
            "CreateEndpoint": endpoints.create,
            "DescribeEndpoint": endpoints.describe,
            "ListEndpoints": endpoints.list,
            "UpdateEndpoint": endpoints.update,
            "UpdateEndpointWeightsAndCapacities": endpoints.update_weights,
            "DeleteEndpoint": endpoints.delete,
            "CreateTransformJob": transforms.create,
            "DescribeTransformJob": transforms.describe,
            "ListTransformJobs": transforms.list,
            "StopTransformJob": transforms.stop,
            **_component_handlers(components),
            **_package_handlers(packages),
            **_tag_handlers(records),
        },
        authorize=authorize,
        lists_nothing=True,
        reasons=REFUSED,
    )


def _component_handlers(components: Components) -> dict[str, Handler]:
    return {
        "CreateInferenceComponent": components.create,
        "DescribeInferenceComponent": components.describe,
        "ListInferenceComponents": components.list,
        "UpdateInferenceComponent": components.update,
        "UpdateInferenceComponentRuntimeConfig": components.update_copies,
        "DeleteInferenceComponent": components.delete,
    }


def _package_handlers(packages: ModelPackages) -> dict[str, Handler]:
    return {
        "CreateModelPackageGroup": packages.create_group,
        "DescribeModelPackageGroup": packages.describe_group,
        "ListModelPackageGroups": packages.list_groups,
        "DeleteModelPackageGroup": packages.delete_group,
        "CreateModelPackage": packages.create,
        "DescribeModelPackage": packages.describe,
        "UpdateModelPackage": packages.update,
        "ListModelPackages": packages.list,
        "DeleteModelPackage": packages.delete,
    }


def _tag_handlers(records: Records) -> dict[str, Handler]:
    def add(_: str, body: Document) -> Document:
        records.add_tags(body["ResourceArn"], body["Tags"])
        return {"Tags": records.tags(body["ResourceArn"])}

    def show(_: str, body: Document) -> Document:
        # A resource has at most 50 tags, which is ListTags' smallest page.
        return {"Tags": records.tags(body["ResourceArn"])}

    def remove(_: str, body: Document) -> Document:
        records.remove_tags(body["ResourceArn"], body["TagKeys"])
        return {}

    return {"AddTags": add, "ListTags": show, "DeleteTags": remove}
