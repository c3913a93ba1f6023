"""The HTTP application of Vertex AI (aiplatform v1).

Source: Google's discovery document of aiplatform v1. Clients poll operations below `/ui/`, which
is the same API (google-api-core's transport).
"""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.images.rehearsal import Rehearsal

from ...inference import Inference
from ...status import Code
from ...transport.types import Head, Response
from ..background_tasks import BackgroundTasks
from ..filters import ANY
from ..google.common.app import GoogleApp, handler_of
from ..google.common.discovery import Call, load
from ..google.common.errors import ApiError, json_response
from ..google.common.messages import parse, writable
from ..google.common.permissions import Denied
from ..google.logging.containers import ContainerLogs
from ..google.monitoring.endpoint_metrics import EndpointMetrics
from ..latency import Latency
from ..model_hosting import ModelHosting
from ..objects.store.store import ObjectStore
from ..offers import Offers, offers
from ..resources import Document, Resources
from .artifacts import Artifacts
from .batch.jobs import Jobs
from .batch.runner import JobRunner
from .deployment.commands import Commands, Variables
from .deployment.deployments import Deployments
from .deployment.pools import Pools
from .deployment.prediction import DEDICATED_LIMIT, Predictions, limit_of, too_large
from .endpoints import Endpoints
from .explanation.explain import Explainer
from .exports import Exports
from .listing import Listing
from .models import Models
from .operations import Operations
from .policies import Policies
from .records import Records, invalid
from .uploads import Uploads

MethodResult = Document | Awaitable[Document]
Handler = Callable[[Call, Document], MethodResult]
Predictor = Callable[[str, Head, bytes], Awaitable[Response]]
_PREFIX = "aiplatform.projects.locations."
_BODY_FIELD = {
    "GoogleCloudAiplatformV1Model": "model",
    "GoogleCloudAiplatformV1Endpoint": "endpoint",
    "GoogleCloudAiplatformV1BatchPredictionJob": "batch_prediction_job",
}
_PATH = re.compile(r"/(?:v1|v1beta1|ui)/projects/[^/]+/locations(?:[/:].*)?")
_LOCATION = re.compile(r"/v1/projects/[^/]+/locations/([^/:]+)[/:].*")
_PREDICTION = re.compile(r".*/endpoints/[^/]+:(?:\w*[pP]redict|explain)")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
_OPERATIONS = Listing("operations", {"name": ANY, "done": ANY})


def is_vertex(head: Head) -> bool:
    """Return whether a request is for Vertex AI, whose paths name a location."""
    return _PATH.fullmatch(head.path) is not None


@dataclass(frozen=True, slots=True)
class VertexParts:
    """The dependencies of the application."""

    resources: Resources
    store: ObjectStore
    hosting: ModelHosting
    work: BackgroundTasks
    inference: Inference
    latency: Latency
    rng: random.Random
    metrics: EndpointMetrics
    """Where predictions are counted."""
    logs: ContainerLogs
    """Where containers' output is kept."""
    folder: Path
    """The folder for copies of models' files."""
    rehearsals: Mapping[str, Rehearsal] = field(default_factory=dict)
    """Commands that run in place of images, by image."""
    denied: Denied = field(default_factory=Denied)
    """The permissions that the caller does not have."""
    variables: Variables = dict
    """Returns the variables that point such a command at this emulator."""


class VertexAi(GoogleApp):
    """The aiplatform v1 application and its state."""

    def __init__(self, parts: VertexParts) -> None:
        self._api = load("aiplatform", "v1")
        self._denied = parts.denied
        records = Records(parts.resources, parts.latency.clock)
        self._artifacts = Artifacts(parts.store, parts.folder)
        self._operations = Operations(records, parts.work, parts.latency)
        self._models = Models(records, self._operations, self._artifacts)
        self._uploads = Uploads(records, self._operations, self._artifacts)
        self._policies = Policies(records, parts.denied)
        self._exports = Exports(records, self._operations, self._artifacts)
        self._endpoints = Endpoints(records, self._operations, parts.hosting)
        self._pools = Pools(records, self._operations)
        commands = Commands(parts.rehearsals, parts.variables, self._artifacts, parts.logs)
        self._deployments = Deployments(
            records, self._operations, self._artifacts, parts.hosting, parts.work, commands
        )
        self._predictions = Predictions(
            records,
            parts.hosting,
            parts.work,
            parts.inference,
            self._api.schemas,
            rng=parts.rng,
            metrics=parts.metrics,
        )
        runner = JobRunner(
            self._artifacts,
            parts.store,
            parts.hosting,
            Explainer(parts.inference, parts.rng),
            tuple(parts.rehearsals),
        )
        self._jobs = Jobs(records, self._operations, runner, parts.work, parts.latency)
        self._handlers = (
            self._model_methods()
            | self._endpoint_methods()
            | self._pool_methods()
            | self._job_methods()
            | self._operation_methods()
        )
        self._predictors: dict[str, Predictor] = {
            f"{_PREFIX}endpoints.predict": self._predictions.predict,
            f"{_PREFIX}endpoints.rawPredict": self._predictions.raw_predict,
            f"{_PREFIX}endpoints.streamRawPredict": self._predictions.stream_raw_predict,
            f"{_PREFIX}endpoints.directRawPredict": self._predictions.direct_raw_predict,
            f"{_PREFIX}endpoints.explain": self._predictions.explain,
        }

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("aiplatform", (*self._predictors, *self._handlers))

    def restore(self) -> None:
        """Resume the deployed models and unfinished operations of an earlier process."""
        self._artifacts.sweep(self._models.artifacts_in_use())
        self._deployments.restore()
        self._operations.restore()
        self._jobs.restore()

    def _model_methods(self) -> dict[str, Handler]:
        models, uploads, prefix = self._models, self._uploads, f"{_PREFIX}models."
        return {
            f"{prefix}upload": lambda c, b: uploads.upload(c.path["parent"], b),
            f"{prefix}copy": lambda c, b: uploads.copy(c.path["parent"], b),
            f"{prefix}export": lambda c, b: self._exports.export(c.path["name"], b),
            f"{prefix}get": lambda c, _: models.get(c.path["name"]),
            f"{prefix}list": lambda c, _: models.list(c.path["parent"], c.query),
            f"{prefix}listVersions": lambda c, _: models.list_versions(c.path["name"], c.query),
            f"{prefix}patch": lambda c, b: models.patch(
                c.path["name"], b, c.query.get("updateMask")
            ),
            f"{prefix}mergeVersionAliases": lambda c, b: models.merge_aliases(c.path["name"], b),
            f"{prefix}delete": lambda c, _: models.delete(c.path["name"]),
            f"{prefix}deleteVersion": lambda c, _: models.delete_version(c.path["name"]),
            f"{prefix}getIamPolicy": lambda c, _: self._policies.get(c.path["resource"]),
            f"{prefix}setIamPolicy": lambda c, b: self._policies.set(c.path["resource"], b),
            f"{prefix}testIamPermissions": lambda c, _: self._policies.test(c),
        }

    def _endpoint_methods(self) -> dict[str, Handler]:
        endpoints, deployments = self._endpoints, self._deployments
        prefix = f"{_PREFIX}endpoints."
        return {
            f"{prefix}create": lambda c, b: endpoints.create(
                c.path["parent"], b, c.query.get("endpointId", "")
            ),
            f"{prefix}get": lambda c, _: endpoints.get(c.path["name"]),
            f"{prefix}list": lambda c, _: endpoints.list(c.path["parent"], c.query),
            f"{prefix}patch": lambda c, b: endpoints.patch(
                c.path["name"], b, c.query.get("updateMask")
            ),
            f"{prefix}update": lambda c, b: endpoints.update(c.path["name"], b),
            f"{prefix}delete": lambda c, _: endpoints.delete(c.path["name"]),
            f"{prefix}deployModel": lambda c, b: deployments.deploy(c.path["endpoint"], b),
            f"{prefix}undeployModel": lambda c, b: deployments.undeploy(c.path["endpoint"], b),
            f"{prefix}mutateDeployedModel": lambda c, b: deployments.mutate(c.path["endpoint"], b),
        }

    def _pool_methods(self) -> dict[str, Handler]:
        pools, prefix = self._pools, f"{_PREFIX}deploymentResourcePools."
        return {
            f"{prefix}create": lambda c, b: pools.create(c.path["parent"], b),
            f"{prefix}get": lambda c, _: pools.get(c.path["name"]),
            f"{prefix}list": lambda c, _: pools.list(c.path["parent"], c.query),
            f"{prefix}delete": lambda c, _: pools.delete(c.path["name"]),
            f"{prefix}queryDeployedModels": lambda c, _: pools.query(
                c.path["deploymentResourcePool"], c.query
            ),
        }

    def _job_methods(self) -> dict[str, Handler]:
        jobs, prefix = self._jobs, f"{_PREFIX}batchPredictionJobs."
        return {
            f"{prefix}create": lambda c, b: jobs.create(c.path["parent"], b),
            f"{prefix}get": lambda c, _: jobs.get(c.path["name"]),
            f"{prefix}list": lambda c, _: jobs.list(c.path["parent"], c.query),
            f"{prefix}cancel": lambda c, _: jobs.cancel(c.path["name"]),
            f"{prefix}delete": lambda c, _: jobs.delete(c.path["name"]),
        }

    def _operation_methods(self) -> dict[str, Handler]:
        operations = self._operations
        methods: dict[str, Handler] = {
            "get": lambda c, _: operations.get(c.path["name"]),
            "list": lambda c, _: _OPERATIONS.answer(operations.all_of(c.path["name"]), c.query),
            "wait": lambda c, _: operations.wait(c.path["name"], _seconds(c.query.get("timeout"))),
            "cancel": lambda c, _: operations.cancel(c.path["name"]),
            "delete": lambda c, _: operations.delete(c.path["name"]),
        }
        owners = ("", "models.", "endpoints.", "deploymentResourcePools.")
        return {
            f"{_PREFIX}{owner}operations.{name}": handler
            for owner in owners
            for name, handler in methods.items()
        }

    def limit(self, head: Head) -> int:
        """Return the limit of a prediction's endpoint, or that of other requests."""
        return limit_of(head) if _PREDICTION.fullmatch(head.path) else DEDICATED_LIMIT

    def too_large(self, head: Head) -> ApiError:
        """Return the error for a body above the limit."""
        return too_large(head)

    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request by its method."""
        path = _of_v1(head.path)
        call = self._api.match(head.method, path, head.query)
        self._check_location(path)
        self._denied.check(call)
        predictor = self._predictors.get(call.method.id)
        if predictor is not None:
            return await predictor(call.path["endpoint"], head, body)
        handler = handler_of(self._handlers, call)
        answer = handler(call, self._read(call, body))
        return json_response(await answer if inspect.isawaitable(answer) else answer)

    def _check_location(self, path: str) -> None:
        """Refuse an unknown region, as Google's APIs do (firezone/firezone#7711)."""
        match, known = _LOCATION.fullmatch(path), self._api.locations
        if match and known and match[1] not in known:
            raise ApiError(
                Code.PERMISSION_DENIED,
                f"Permission denied on 'locations/{match[1]}' (or it may not exist).",
            )

    def _read(self, call: Call, body: bytes) -> Document:
        schema = call.method.request
        if schema is None:
            return {}
        message = parse(self._api.schemas, schema, body, _BODY_FIELD.get(schema, ""))
        return writable(self._api.schemas, schema, message)


def _of_v1(path: str) -> str:
    if path.startswith("/v1beta1/"):
        raise ApiError(Code.UNIMPLEMENTED, "aiplatform v1beta1 is not available offline; use v1.")
    return f"/v1/{path.removeprefix('/ui/')}" if path.startswith("/ui/") else path


def _seconds(duration: str | None) -> float | None:
    if duration is None:
        return None
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise invalid(f'"{duration}" is not a duration: seconds such as "10s" are expected.')
    return float(match[1])
