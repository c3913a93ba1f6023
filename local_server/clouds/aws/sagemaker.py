"""SageMaker's control plane: JSON 1.1 on `POST /`, the operation named by `X-Amz-Target`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from ...transport.types import BodyTooLargeError, Head, Request, Response
from ..bodies import collect, collect_limit
from ..objects.store import ObjectStore
from ..resources import Document
from .arns import region
from .errors import AwsError, json_error, json_response
from .sagemaker_configs import Configs
from .sagemaker_endpoints import Endpoints
from .sagemaker_models import Models
from .sagemaker_records import Records
from .service_model import ServiceModel
from .validation import check

TARGET = "SageMaker."
_LIMIT = 1024 * 1024
Handler = Callable[[str, Document], Document | Awaitable[Document] | None]


class SageMaker:
    """The control plane's face."""

    def __init__(self, records: Records, store: ObjectStore, endpoints: Endpoints) -> None:
        models, configs = Models(records, store), Configs(records)
        self._model = ServiceModel("sagemaker")
        self._handlers: dict[str, Handler] = {
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
        }

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies of up to a megabyte, far above what any operation takes."""
        return collect_limit(head, _LIMIT)

    async def handle(self, request: Request) -> Response:
        """Answer one operation; every refusal is a typed JSON 1.1 error."""
        try:
            body = await collect(request, _LIMIT)
            return json_response(await self._answer(request.head, body))
        except BodyTooLargeError:
            return json_error(
                AwsError(
                    "RequestEntityTooLargeException",
                    f"The request is larger than {_LIMIT} bytes.",
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                )
            )
        except AwsError as error:
            return json_error(error)

    def failed(self, _: Head) -> Response:
        """Answer a request that broke down here."""
        return json_error(AwsError.internal())

    async def _answer(self, head: Head, body: bytes) -> Document | None:
        operation = head.headers.get("x-amz-target", "").removeprefix(TARGET)
        if not self._model.is_read:
            await asyncio.to_thread(self._model.read)
        shape = self._model.input_shape(operation)
        if shape is None:
            raise AwsError(
                "UnknownOperationException",
                f"The operation {operation} is not recognized by the service.",
            )
        handler = self._handlers.get(operation)
        if handler is None:
            raise AwsError(
                "UnsupportedOperationException", f"{operation} is not available offline."
            )
        answer = handler(region(head), check(shape, body))
        return await answer if inspect.isawaitable(answer) else answer


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
