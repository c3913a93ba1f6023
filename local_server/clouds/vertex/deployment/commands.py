"""Vertex AI's contract for custom containers, applied to a local command.

Source: Vertex AI, "Custom container requirements for inference" (version 1.0.0) for the AIP_
variables, the health checks and the form of requests; aiplatform v1, ModelContainerSpec, for the
routes, `args` and `env`. A real container has the port to itself. Here several containers run side
by side, so each gets its own AIP_HTTP_PORT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from cloudserve.images.rehearsal import Rehearsal

from ....container.environment import container_environment
from ....own_images import (
    Command,
    CommandServer,
    Launch,
    NoAnswerError,
    Reply,
    expand,
    free_port,
)
from ....protocols.vertex.predict import DeployedModel, VertexLimits, VertexRequest
from ....status import Code, StatusError
from ...google.logging.containers import ContainerLogs
from ..artifacts import Artifacts
from ..records import Version

Variables = Callable[[], Mapping[str, str]]
"""Returns the variables that point a container at this emulator."""
START_SECONDS = 1800.0
"""Timeout for a container to become healthy.

There is no source for the service's own limit without `deploymentTimeout` (at most 2 hours).
"""
CHECK_SECONDS = 10.0
_JSON = {"Content-Type": "application/json"}
_CODES = {
    HTTPStatus.BAD_REQUEST: Code.INVALID_ARGUMENT,
    HTTPStatus.NOT_IMPLEMENTED: Code.UNIMPLEMENTED,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: Code.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True, slots=True)
class OwnImage:
    """A running container, and its prediction route."""

    server: CommandServer
    route: str

    async def stop(self) -> None:
        """Stop the command."""
        await self.server.stop()


@dataclass(frozen=True, slots=True)
class Commands:
    """Starts commands in place of images."""

    rehearsals: Mapping[str, Rehearsal]
    variables: Variables
    artifacts: Artifacts
    logs: ContainerLogs

    def named(self, version: Version) -> Rehearsal | None:
        """Return the command for a model version's image, or None."""
        return self.rehearsals.get(version.image)

    async def start(
        self, endpoint: str, deployed: Mapping[str, Any], version: Version, scratch: Path
    ) -> OwnImage:
        """Start a version's command and wait until it is healthy; raises ModelError."""
        spec, artifact = version.document["containerSpec"], version.artifact
        uri = await asyncio.to_thread(self.artifacts.publish, artifact) if artifact else ""
        variables = _variables_of(endpoint, deployed, spec, free_port(), uri)
        environment = self._environment(spec, variables, scratch)
        rehearsal = self.rehearsals[version.image]
        words = tuple(expand(w, environment) for w in (*rehearsal.command, *spec.get("args", ())))
        command = Command(
            version.image.rpartition("/")[2],
            words,
            rehearsal.folder,
            environment,
            write=self.logs.of(endpoint, deployed),
        )
        port, health = int(variables["AIP_HTTP_PORT"]), variables["AIP_HEALTH_ROUTE"]
        server = CommandServer(Launch(command, port, health, START_SECONDS, CHECK_SECONDS))
        await server.start()
        return OwnImage(server, variables["AIP_PREDICT_ROUTE"])

    def _environment(
        self, spec: Mapping[str, Any], variables: Mapping[str, str], scratch: Path
    ) -> dict[str, str]:
        own: dict[str, str] = {}
        for variable in spec.get("env", ()):
            # Later entries may reference earlier ones.
            text = variable.get("value", "")
            own[variable["name"]] = expand(text, {**own, **variables})
        return container_environment(scratch, own, {**self.variables(), **variables})


def _variables_of(
    endpoint: str, deployed: Mapping[str, Any], spec: Mapping[str, Any], port: int, uri: str
) -> dict[str, str]:
    """Return the variables that Vertex AI sets in a container."""
    endpoint_id, deployed_id = endpoint.rpartition("/")[2], deployed["id"]
    route = f"/v1/endpoints/{endpoint_id}/deployedModels/{deployed_id}"
    machine = deployed.get("dedicatedResources", {}).get("machineSpec", {})
    accelerator = machine.get("acceleratorType")
    return {
        "AIP_DEPLOYED_MODEL_ID": deployed_id,
        "AIP_ENDPOINT_ID": endpoint_id,
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HEALTH_ROUTE": spec.get("healthRoute") or route,
        "AIP_HTTP_PORT": str(port),
        "AIP_MACHINE_TYPE": machine.get("machineType", ""),
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_MODEL_NAME": endpoint_id,
        "AIP_PREDICT_ROUTE": spec.get("predictRoute") or f"{route}:predict",
        "AIP_PROJECT_NUMBER": endpoint.split("/")[1],
        "AIP_STORAGE_URI": uri,
        "AIP_VERSION_NAME": deployed_id,
        **({"AIP_ACCELERATOR_TYPE": accelerator} if accelerator else {}),
    }


async def predict(
    image: OwnImage, deployed: DeployedModel, request: VertexRequest, limits: VertexLimits
) -> bytes:
    """Answer a predict request in Vertex AI's format; raises StatusError."""
    reply = await _ask(image, request.to_own_container(), _JSON, limits)
    try:
        predictions = msgspec.json.decode(reply.body, type=_Answer).predictions
    except (ValueError, RecursionError) as error:
        # The words are the service's (python-aiplatform#1526); the code is our own.
        raise StatusError(
            Code.FAILED_PRECONDITION,
            "Invalid response from prediction server - the response field predictions is missing."
            f" Response: {reply.body.decode('utf-8', 'replace')}",
        ) from error
    return msgspec.json.encode({"predictions": predictions} | deployed.envelope())


async def raw_predict(
    image: OwnImage, body: bytes, kind: str, limits: VertexLimits
) -> tuple[bytes, str]:
    """Return the container's bytes and their media type; raises StatusError."""
    reply = await _ask(image, body, {"Content-Type": kind}, limits)
    return reply.body, reply.headers.get("content-type", "application/octet-stream")


class _Answer(msgspec.Struct, frozen=True):
    predictions: msgspec.Raw


async def _ask(
    image: OwnImage, body: bytes, headers: Mapping[str, str], limits: VertexLimits
) -> Reply:
    asking = image.server.ask("POST", image.route, body, headers)
    try:
        reply = await asyncio.wait_for(asking, limits.seconds)
    except TimeoutError as error:
        raise StatusError(Code.DEADLINE_EXCEEDED, "The container did not answer.") from error
    except NoAnswerError as error:
        raise StatusError(Code.UNAVAILABLE, error.message) from error
    if reply.status != HTTPStatus.OK:
        raise StatusError(_code(reply.status), reply.body.decode("utf-8", "replace"))
    if len(reply.body) > limits.answer_bytes:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f"Response size too large. Received at least {len(reply.body)} bytes; max is"
            f" {limits.answer_bytes}.",
        )
    return reply


def _code(status: int) -> Code:
    """Return the code for a container's status; its body is the message."""
    other = Code.INTERNAL if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
    return _CODES.get(HTTPStatus(status), other or Code.FAILED_PRECONDITION)
