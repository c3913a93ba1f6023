"""The HTTP application of AI Platform Prediction (ml v1).

Source: Google's discovery document of ml v1; error texts as recorded in its users' issues.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable

from ....inference import Inference
from ....inference.types import ModelSpec
from ....protocols.tfserving.predict_json import predict_json
from ....status import Code, StatusError
from ....transport.types import Head, Response
from ...background_tasks import BackgroundTasks
from ...latency import Latency
from ...model_hosting import ModelHosting
from ...objects.store.store import ObjectStore
from ...offers import Offers, offers
from ...resources import Document, Resources
from ..common.app import GoogleApp, handler_of
from ..common.discovery import Api, Call, load
from ..common.errors import JSON, ApiError, json_response
from ..common.messages import parse
from .models import Models
from .operations import Operations
from .records import Records
from .versions import Versions

_PATH = re.compile(r"/v1/projects/[^/]+(?:/(?:models|operations|jobs)(?:[/:].*)?|:\w+)")
PAYLOAD_LIMIT = 1_572_864
"""Limit of a request body in bytes (AI Platform's quotas: 1.5 MB)."""

MethodResult = Document | Awaitable[Document]
Handler = Callable[[Call, Document], MethodResult]
_NO_DOCUMENT = (
    "The installed google-api-python-client does not describe ml v1, which the offline AI Platform"
    " needs; 2.202.0 does."
)
_BODY_FIELD = {"GoogleCloudMlV1__Model": "model", "GoogleCloudMlV1__Version": "version"}


def is_ml(head: Head) -> bool:
    """Return whether a request is for AI Platform."""
    return _PATH.fullmatch(head.path) is not None


class AiPlatform(GoogleApp):
    """The ml v1 application and its state."""

    largest_body = PAYLOAD_LIMIT

    def __init__(
        self,
        resources: Resources,
        store: ObjectStore,
        hosting: ModelHosting,
        work: BackgroundTasks,
        inference: Inference,
        latency: Latency,
    ) -> None:
        records = Records(resources, latency.clock.now)
        self._operations = Operations(records)
        self._models = Models(records, self._operations)
        self._versions = Versions(records, self._operations, store, hosting, work, latency)
        self._hosting = hosting
        self._inference = inference
        self._api = _api()
        self._handlers = self._model_methods() | self._version_methods() | self._other_methods()

    def restore(self) -> None:
        """Resume the versions of an earlier process."""
        self._versions.restore()

    def _model_methods(self) -> dict[str, Handler]:
        models = self._models
        return {
            "ml.projects.models.create": lambda c, b: models.create(c.path["parent"], b),
            "ml.projects.models.get": lambda c, _: models.get(c.path["name"]),
            "ml.projects.models.list": lambda c, _: models.list(c.path["parent"], c.query),
            "ml.projects.models.patch": lambda c, b: models.patch(
                c.path["name"], b, c.query.get("updateMask")
            ),
            "ml.projects.models.delete": lambda c, _: models.delete(c.path["name"]),
        }

    def _version_methods(self) -> dict[str, Handler]:
        versions = self._versions
        prefix = "ml.projects.models.versions."
        return {
            f"{prefix}create": lambda c, b: versions.create(c.path["parent"], b),
            f"{prefix}get": lambda c, _: versions.get(c.path["name"]),
            f"{prefix}list": lambda c, _: versions.list(c.path["parent"], c.query),
            f"{prefix}setDefault": lambda c, _: versions.set_default(c.path["name"]),
            f"{prefix}patch": lambda c, b: versions.patch(
                c.path["name"], b, c.query.get("updateMask")
            ),
            f"{prefix}delete": lambda c, _: versions.delete(c.path["name"]),
        }

    def _other_methods(self) -> dict[str, Handler]:
        operations = self._operations
        prefix = "ml.projects.operations."
        return {
            f"{prefix}get": lambda c, _: operations.get(c.path["name"]),
            f"{prefix}list": lambda c, _: operations.list(c.path["name"], c.query),
            f"{prefix}cancel": lambda c, _: operations.cancel(c.path["name"]),
        }

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("ml", ("ml.projects.predict", *self._handlers))

    def too_large(self, _: Head) -> ApiError:
        """Return the error for a body above the payload limit."""
        text = f"Request payload size exceeds the limit: {PAYLOAD_LIMIT} bytes."
        return ApiError(Code.INVALID_ARGUMENT, text)

    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request by its method."""
        if self._api is None:
            raise ApiError(Code.UNIMPLEMENTED, _NO_DOCUMENT)
        call = self._api.match(head.method, head.path, head.query)
        if call.method.id == "ml.projects.predict":
            return await self._predict(call.path["name"], body)
        handler = handler_of(self._handlers, call)
        answer = handler(call, _read(self._api, call, body))
        return json_response(await answer if inspect.isawaitable(answer) else answer)

    async def _predict(self, name: str, body: bytes) -> Response:
        if "/models/" not in name:
            raise ApiError(Code.INVALID_ARGUMENT, f'"{name}" does not name a model.')
        version = await self._versions.serving(name)
        with self._hosting.hold(version):
            return Response(200, await predict(self._inference, version, body), JSON)


def _api() -> Api | None:
    """Return ml v1; None if googleapiclient no longer describes it, because it was shut down."""
    try:
        return load("ml", "v1")
    except FileNotFoundError:
        return None


def _read(api: Api, call: Call, body: bytes) -> Document:
    schema = call.method.request
    if schema is None:
        return {}
    return parse(api.schemas, schema, body, _BODY_FIELD.get(schema, ""))


async def predict(inference: Inference, name: str, body: bytes) -> bytes:
    """Answer a predict request with the model version loaded under this name.

    The JSON is TensorFlow Serving's. Failures differ: once a request has reached a model, the
    response is HTTP 200 with `{"error": "Prediction failed: ..."}` (tensorflow/hub#292). Google's
    samples therefore look for `error` in a successful response.
    """
    try:
        return await predict_json(inference, ModelSpec(name), body)
    except StatusError as error:
        return json.dumps({"error": f"Prediction failed: {error.message}"}).encode()
