"""Online predictions: the choice of the deployed model, and their limits."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any

import msgspec

from ....inference import Inference
from ....protocols.vertex.predict import (
    DeployedModel,
    VertexLimits,
    VertexRequest,
    predict,
    raw_predict,
    read_request,
    within,
)
from ....status import Code, StatusError
from ....transport.types import Head, Response
from ...background_tasks import BackgroundTasks
from ...google.common.discovery import Schema
from ...google.common.errors import JSON, ApiError, http_status
from ...google.common.messages import parse, read_bytes
from ...google.monitoring.endpoint_metrics import EndpointMetrics, Invoked
from ...model_hosting import ModelHosting
from ...resources import Document
from ..endpoints import DEDICATED_DOMAIN, check_serves
from ..explanation.explain import Explainer
from ..explanation.requests import ExplainedModel
from ..records import Records, failed_precondition, invalid, not_found
from . import commands
from .deployments import serving_key
from .direct import DirectPredictions
from .traffic import choose

SHARED_LIMIT, DEDICATED_LIMIT = 1_572_864, 10_485_760
"""Bytes of a prediction: 1.5 MB on the shared domain, 10 MB on a dedicated one."""
_SHARED_SECONDS, _DEDICATED_SECONDS, _LONGEST_SECONDS = 60.0, 600.0, 3600.0
_REQUEST = "GoogleCloudAiplatformV1PredictRequest"
_EXPLAIN_REQUEST = "GoogleCloudAiplatformV1ExplainRequest"
_DIRECT_REQUEST = "GoogleCloudAiplatformV1DirectRawPredictRequest"
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")


def host_of(head: Head) -> str:
    """Return the host of a request, without its port."""
    return head.headers.get("host", "").rpartition(":")[0] or head.headers.get("host", "")


def limit_of(head: Head) -> int:
    """Return the limit of a prediction's body in bytes."""
    return DEDICATED_LIMIT if host_of(head).endswith(DEDICATED_DOMAIN) else SHARED_LIMIT


def too_large(head: Head) -> ApiError:
    """Return the error for a body above the limit."""
    limit = limit_of(head)
    size = head.headers.get("content-length", str(limit + 1))
    return failed_precondition(
        f"The request size ({size} bytes) exceeds {limit / 1024**2:.3f}MB limit."
    )


class Predictions:
    """The predictions of all endpoints; `rng` draws a model by the traffic split."""

    def __init__(  # noqa: PLR0913  a keyword for each part
        self,
        records: Records,
        hosting: ModelHosting,
        work: BackgroundTasks,
        inference: Inference,
        schemas: Mapping[str, Schema],
        *,
        rng: random.Random,
        metrics: EndpointMetrics,
    ) -> None:
        self._metrics = metrics
        self._records = records
        self._hosting = hosting
        self._work = work
        self._inference = inference
        self._direct = DirectPredictions(inference)
        self._schemas = schemas
        self._rng = rng
        self._explainer = Explainer(inference, rng)

    async def predict(self, name: str, head: Head, body: bytes) -> Response:
        """Answer `ENDPOINT:predict`; raises StatusError."""
        began = perf_counter()
        request = read_request(body) or self._checked(body)
        chosen = await self._answering(name, head)
        deployed, limits = chosen.deployed, chosen.limits
        with self._hosting.hold(deployed.servable), self._counted(chosen, began, request):
            image = self._own_image(deployed)
            if image is None:
                answer = await predict(self._inference, deployed, request, limits)
            else:
                answer = await commands.predict(image, deployed, request, limits)
        return Response(200, answer, JSON)

    def _checked(self, body: bytes) -> VertexRequest:
        """Parse a body by the message's schema, with Google's own error texts."""
        message = parse(self._schemas, _REQUEST, body, "")
        return VertexRequest(
            instances=_raw(message.get("instances", [])),
            parameters=_raw(message.get("parameters")),
        )

    async def raw_predict(self, name: str, head: Head, body: bytes) -> Response:
        """Answer `ENDPOINT:rawPredict` with the container's bytes; raises StatusError."""
        began = perf_counter()
        chosen = await self._answering(name, head)
        deployed, limits = chosen.deployed, chosen.limits
        with self._hosting.hold(deployed.servable), self._counted(chosen, began):
            image = self._own_image(deployed)
            if image is None:
                answer, kind = await self._raw(deployed, body, limits), JSON
            else:
                media_type = head.headers.get("content-type", JSON)
                answer, kind = await commands.raw_predict(
                    image, _http_body(body), media_type, limits
                )
        headers = {
            "X-Vertex-AI-Endpoint-Id": deployed.endpoint_id,
            "X-Vertex-AI-Deployed-Model-Id": deployed.id,
            "X-Vertex-AI-Model": deployed.model,
            "X-Vertex-AI-Model-Version-Id": deployed.version_id,
        }
        return Response(200, answer, kind, headers)

    async def stream_raw_predict(self, name: str, head: Head, body: bytes) -> Response:
        """Answer `ENDPOINT:streamRawPredict` of a dedicated endpoint; raises StatusError.

        google-cloud-aiplatform says of `Endpoint.stream_raw_predict`: "For custom model, this
        method is only supported for dedicated endpoint". The error's text is ours.
        """
        if not self._records.endpoint(name).get("dedicatedEndpointEnabled"):
            raise failed_precondition(
                "streamRawPredict of a custom model is supported for dedicated endpoints only."
            )
        return await self.raw_predict(name, head, body)

    async def _raw(self, deployed: DeployedModel, body: bytes, limits: VertexLimits) -> bytes:
        return await raw_predict(self._inference, deployed, _http_body(body), limits)

    def _own_image(self, deployed: DeployedModel) -> commands.OwnImage | None:
        guest = self._hosting.guest(deployed.servable)
        return guest if isinstance(guest, commands.OwnImage) else None

    async def direct_raw_predict(self, name: str, head: Head, body: bytes) -> Response:
        """Answer `ENDPOINT:directRawPredict`, a gRPC method's bytes; raises StatusError."""
        began = perf_counter()
        fields = parse(self._schemas, _DIRECT_REQUEST, body, "")
        data = read_bytes(fields.get("input", ""))
        chosen = await self._answering(name, head)
        deployed, limits = chosen.deployed, chosen.limits
        if self._own_image(deployed) is not None:
            raise ApiError(
                Code.UNIMPLEMENTED, "directRawPredict of a command is not available offline."
            )
        with self._hosting.hold(deployed.servable), self._counted(chosen, began):
            output = await self._direct.answer(
                deployed.servable, fields.get("methodName", ""), data, limits.seconds
            )
        return Response(200, msgspec.json.encode({"output": output}), JSON)

    async def explain(self, name: str, head: Head, body: bytes) -> Response:
        """Answer `ENDPOINT:explain`; raises StatusError.

        A deployed model without an explanation_spec is refused as the service does
        (statmike/vertex-ai-mlops#46).
        """
        began = perf_counter()
        fields = parse(self._schemas, _EXPLAIN_REQUEST, body, "")
        spec = self._spec(name, head, fields)
        if not fields.get("instances"):
            raise invalid("The field `instances` is required.")
        request = VertexRequest(_raw(fields["instances"]), _raw(fields.get("parameters")))
        chosen = await self._answering(name, head, spec.deployed_id)
        deployed, limits = chosen.deployed, chosen.limits
        if self._own_image(deployed) is not None:
            raise ApiError(Code.UNIMPLEMENTED, "explain of a command is not available offline.")
        with (
            self._hosting.hold(deployed.servable) as servables,
            self._counted(chosen, began, request),
        ):
            work = partial(spec.answer, self._explainer, deployed, servables[0].path, fields)
            answer = await self._inference.submit(
                partial(work, limits.seconds), timeout_seconds=limits.seconds
            )
        return Response(200, within(answer, deployed, limits), JSON)

    def _spec(self, name: str, head: Head, fields: Document) -> ExplainedModel:
        """Return the deployed model to explain with its spec; raises ApiError if it has none.

        Source: aiplatform v1, endpoints.explain: "If deployed_model_id is not specified, all
        DeployedModels must have explanation_spec populated."
        """
        endpoint = self._records.endpoint(name)
        check_serves(endpoint, host_of(head))
        asked, deployed = fields.get("deployedModelId"), endpoint.get("deployedModels", ())
        found = [m for m in deployed if m["id"] == asked] if asked else deployed
        if asked and not found:
            raise not_found("DeployedModel", f"{name}/deployedModels/{asked}")
        chosen = asked or self._drawn(endpoint)
        specs = {m["id"]: m.get("explanationSpec") for m in found}
        for deployed_id, spec in specs.items():
            if not spec:
                text = f"Deployed model {deployed_id} does not support explanation."
                raise failed_precondition(text)
        return ExplainedModel(chosen, specs[chosen])

    def _drawn(self, endpoint: Mapping[str, Any]) -> str:
        """Return the deployed model that answers by the traffic split; raises ApiError."""
        split = endpoint.get("trafficSplit")
        if not split:
            raise failed_precondition(f"Endpoint {endpoint['name']} doesn't have traffic_split.")
        return choose(split, self._rng)

    @contextmanager
    def _counted(
        self, chosen: _Chosen, began: float, request: VertexRequest | None = None
    ) -> Iterator[None]:
        """Publish a prediction with the status of the block; `began` is when it arrived."""
        model_began, status = perf_counter(), HTTPStatus.INTERNAL_SERVER_ERROR
        try:
            yield
            status = HTTPStatus.OK
        except StatusError as error:
            status = http_status(error)
            raise
        finally:
            ended = perf_counter()
            is_answered = status == HTTPStatus.OK
            self._metrics.publish(
                Invoked(
                    project=chosen.words[1],
                    location=chosen.words[3],
                    endpoint=chosen.deployed.endpoint_id,
                    endpoint_name=chosen.title,
                    deployed_model=chosen.deployed.id,
                    model_name=chosen.deployed.display_name,
                    status=int(status),
                    instances=_instances(request) if is_answered else 0,
                    model_seconds=ended - model_began,
                    seconds=ended - began,
                )
            )

    async def _answering(self, name: str, head: Head, deployed_id: str = "") -> _Chosen:
        endpoint = self._records.endpoint(name)
        check_serves(endpoint, host_of(head))
        deployed = self._deployed(endpoint, deployed_id or self._drawn(endpoint))
        # After a restart the deployed model may still be loading.
        await self._work.settled(deployed.servable)
        if not self._hosting.is_loaded(deployed.servable):
            raise ApiError(Code.UNAVAILABLE, "The model server is not ready; see its log.")
        return _Chosen(
            deployed, _limits(endpoint), name.split("/"), endpoint.get("displayName", "")
        )

    def _deployed(self, endpoint: Mapping[str, Any], deployed_id: str) -> DeployedModel:
        model = next(m for m in endpoint["deployedModels"] if m["id"] == deployed_id)
        version = self._records.deployed_version(model)
        return DeployedModel(
            servable=serving_key(endpoint["name"], deployed_id),
            id=deployed_id,
            endpoint_id=endpoint["name"].rpartition("/")[2],
            model=version.model,
            version_id=version.number,
            display_name=version.display_name,
        )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The deployed model that answers a request."""

    deployed: DeployedModel
    limits: VertexLimits
    words: Sequence[str]
    """The words of the endpoint's name: projects, P, locations, L, endpoints, E."""
    title: str
    """The display name of the endpoint."""


def _instances(request: VertexRequest | None) -> int:
    """Return the number of instances; a raw body counts as one."""
    if request is None:
        return 1
    return len(msgspec.json.decode(request.instances, type=list[msgspec.Raw]))


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _limits(endpoint: Mapping[str, Any]) -> VertexLimits:
    if not endpoint.get("dedicatedEndpointDns"):
        return VertexLimits(SHARED_LIMIT, _SHARED_SECONDS)
    text = endpoint.get("clientConnectionConfig", {}).get("inferenceTimeout", "")
    match = _SECONDS.fullmatch(text)
    seconds = float(match[1]) if match else _DEDICATED_SECONDS
    return VertexLimits(DEDICATED_LIMIT, min(seconds, _LONGEST_SECONDS))


class _HttpBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    content_type: str = ""
    data: str = ""
    extensions: list[Document] = []


class _Transcoded(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    http_body: _HttpBody


def _http_body(body: bytes) -> bytes:
    """Return the container's bytes: a raw body, or the one that Google's clients transcode."""
    try:
        transcoded = msgspec.json.decode(body, type=_Transcoded)
    except (ValueError, RecursionError):
        return body
    try:
        return base64.b64decode(transcoded.http_body.data, validate=True)
    except ValueError as error:
        text = "Invalid value at 'http_body.data' (TYPE_BYTES), Base64 decoding failed"
        raise ApiError(Code.INVALID_ARGUMENT, text) from error
