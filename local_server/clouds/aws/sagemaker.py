"""SageMaker's control plane (JSON 1.1): which operation is answered by whom."""

from __future__ import annotations

from ..objects.store import ObjectStore
from ..resources import Document
from .json_face import Handler, JsonFace
from .sagemaker_configs import Configs
from .sagemaker_endpoints import Endpoints
from .sagemaker_models import Models
from .sagemaker_records import Records

TARGET = "SageMaker."


def sagemaker(records: Records, store: ObjectStore, endpoints: Endpoints) -> JsonFace:
    """Return the control plane's face."""
    models, configs = Models(records, store), Configs(records)
    return JsonFace(
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
            **_tag_handlers(records),
        },
    )


def _tag_handlers(records: Records) -> dict[str, Handler]:
    def add(_: str, body: Document) -> Document:
        records.add_tags(body["ResourceArn"], body["Tags"])
        return {"Tags": records.tags(body["ResourceArn"])}

    def show(_: str, body: Document) -> Document:
        # A resource has at most 50 tags, the smallest page ListTags may be asked for.
        return {"Tags": records.tags(body["ResourceArn"])}

    def remove(_: str, body: Document) -> Document:
        records.remove_tags(body["ResourceArn"], body["TagKeys"])
        return {}

    return {"AddTags": add, "ListTags": show, "DeleteTags": remove}
