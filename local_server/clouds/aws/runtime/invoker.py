"""Who answers an invocation, and how long it may take: what every runtime operation shares."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ....container import Answer, Invocation
from ....own_images import NoAnswerError
from ...latency import Clock
from ...resources import Document
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError
from ..sagemaker import deployments
from ..sagemaker.container_pool import Fleet, Running
from ..sagemaker.endpoints import Endpoints, Lanes
from .data_capture import Captured, DataCapture

logger = logging.getLogger(__name__)

PAYLOAD_LIMIT = 6_291_456
"""Bytes of an InvokeEndpoint body (botocore's model of the runtime)."""
SERVERLESS_LIMIT = 4 * 1024 * 1024
ASYNC_LIMIT = 1024 * 1024 * 1024
"""Bytes of an input in the bucket (developer guide, "Asynchronous inference")."""
TIME_LIMIT = 60.0
_SERVER_ERROR = 500
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the"
    " latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)

_NO_ANSWER = (
    "Amazon SageMaker could not get a response from the %s endpoint. This can occur when CPU or"
    " memory utilization is high. To check your utilization, see Amazon CloudWatch. To fix this"
    " problem, use an instance type with more CPU capacity or memory."
)
"""What is said of a container that ends meanwhile (amazon-sagemaker-examples#2815)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An invocation of an endpoint, read and checked."""

    region: str
    endpoint: str
    invocation: Invocation
    variant: str | None = None
    model: str | None = None
    inference_id: str | None = None
    later: bool = False
    """Whether it came by InvokeEndpointAsync: only such endpoints take it, and they no other."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """A good answer, and the variant that gave it."""

    variant: str
    answer: Answer


class ModelRefusalError(AwsError):
    """A container answered with an error: 424, with the original inside."""

    def __init__(
        self, asked: Asked, status: int, message: str, answer: Answer | None = None
    ) -> None:
        self.answer = answer
        """What the container answered; None where it did not in time."""
        side = "server" if status >= _SERVER_ERROR or not status else "client"
        region, logs = asked.region, f"/aws/sagemaker/Endpoints/{asked.endpoint}"
        super().__init__(
            "ModelError",
            f'Received {side} error ({status}) from primary with message "{message}". See'
            f" https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={logs} in account {ACCOUNT} for more information.",
            HTTPStatus.FAILED_DEPENDENCY,
        )
        self.extra: Mapping[str, Any] = {
            "ErrorCode": f"{side.upper()}_ERROR_FROM_MODEL",
            "LogStreamArn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{logs}",
            "OriginalMessage": message,
            "OriginalStatusCode": status,
        }


class Invoker:
    """Has endpoints' containers answer."""

    def __init__(
        self,
        endpoints: Endpoints,
        fleet: Fleet,
        capture: DataCapture,
        chance: random.Random,
        clock: Clock,
        patience: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._fleet = fleet
        self._capture = capture
        self._chance = chance
        self._clock = clock
        self._patience = patience
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def lanes(self, region: str, endpoint: str) -> Lanes:
        """Return who answers for an endpoint; raises AwsError for nobody."""
        lanes = await self._endpoints.lanes(region, endpoint)
        if lanes is None:
            raise _not_found(endpoint)
        return lanes

    async def invoke(self, asked: Asked, *, seconds: float = TIME_LIMIT) -> Invoked:
        """Have an endpoint answer within a time; raises AwsError, ModelRefusalError."""
        lanes = await self.lanes(asked.region, asked.endpoint)
        deployment = self._draw_lane(lanes)
        if "async" in deployment and not asked.later:
            raise validation_error(
                f"Endpoint {asked.endpoint} is configured for asynchronous inference: use"
                " InvokeEndpointAsync."
            )
        variant = self._choose(deployment, asked)
        _check_size(asked, variant)
        # Held from here, with no wait since the deployment was read: it cannot go meanwhile.
        with self._fleet.hold(deployments.key(deployment, variant["name"])) as running:
            if running is None:
                raise _not_found(asked.endpoint)
            answer = await self._within(seconds, asked, _answer(running, asked))
        self._shadow(deployment, asked)
        if answer.status != HTTPStatus.OK:
            message = answer.body.decode("utf-8", "replace")
            raise ModelRefusalError(asked, answer.status, message, answer)
        await self._write_capture(deployment, variant, asked, answer)
        return Invoked(variant["name"], answer)

    def _draw_lane(self, lanes: Lanes) -> Document:
        """Draw the deployment that answers, by the share of one that is taking over."""
        is_shifted = lanes.pending is not None and lanes.share > 0
        if lanes.pending is not None and is_shifted and self._chance.random() < lanes.share:
            return lanes.pending
        return lanes.serving

    def _choose(self, deployment: Document, asked: Asked) -> Document:
        variants: list[Document] = deployment["variants"]
        if asked.variant is None:
            return pick(variants, self._chance)
        for variant in variants:
            if variant["name"] == asked.variant:
                return variant
        raise validation_error(f"Variant {asked.variant} not found for endpoint {asked.endpoint}.")

    async def _within(
        self, seconds: float, asked: Asked, work: Coroutine[Any, Any, Answer]
    ) -> Answer:
        """Wait for an answer as long as it may take; the container goes on with it after that."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        over = asyncio.ensure_future(self._patience.sleep(seconds))
        try:
            await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if not task.done():
            task.add_done_callback(_look_at)
            raise ModelRefusalError(asked, 0, _TIMED_OUT)
        try:
            return task.result()
        except NoAnswerError as error:
            logger.warning("%s", error.message)
            raise ModelRefusalError(asked, 0, _NO_ANSWER % asked.endpoint) from error

    def _shadow(self, deployment: Document, asked: Asked) -> None:
        """Send a copy to the shadow variant as often as its weight says; nobody gets its answer."""
        total = sum(variant["weight"] for variant in deployment["variants"]) or 1.0
        for shadow in deployment.get("shadows", []):
            if self._chance.random() < shadow["weight"] / total:
                task = asyncio.create_task(self._ask_shadow(deployment, shadow, asked))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                task.add_done_callback(_look_at)

    async def _ask_shadow(self, deployment: Document, shadow: Document, asked: Asked) -> Answer:
        with self._fleet.hold(deployments.key(deployment, shadow["name"])) as running:
            if running is None:
                raise _not_found(asked.endpoint)
            answer = await _answer(running, asked)
        if answer.status == HTTPStatus.OK:
            await self._write_capture(deployment, shadow, asked, answer)
        else:
            logger.warning("shadow variant %s answered %d", shadow["name"], answer.status)
        return answer

    async def _write_capture(
        self, deployment: Document, variant: Document, asked: Asked, answer: Answer
    ) -> None:
        config = deployment.get("capture")
        if config is None or not self._capture.is_drawn(config):
            return
        captured = Captured(
            asked.endpoint, variant["name"], asked.invocation, answer, asked.inference_id
        )
        await self._capture.write(config, captured, self._clock.now())

    async def close(self) -> None:
        """End what nobody waits for any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _check_size(asked: Asked, variant: Document) -> None:
    limit = SERVERLESS_LIMIT if variant["serverless"] else PAYLOAD_LIMIT
    limit = ASYNC_LIMIT if asked.later else limit
    if len(asked.invocation.body) > limit:
        raise too_large(limit)


async def _answer(running: Running, asked: Asked) -> Answer:
    if running.hosted is None:
        if asked.model is not None:
            raise validation_error(
                f"Endpoint {asked.endpoint} is not a multi-model endpoint and does not support"
                " target model header."
            )
        return await running.container.invoke(asked.invocation)
    if asked.model is None:
        raise validation_error(
            f"Endpoint {asked.endpoint} is a multi-model endpoint: the target model header is"
            " required."
        )
    return await running.hosted.invoke(asked.model, asked.invocation)


def pick(variants: list[Document], chance: random.Random) -> Document:
    """Draw a variant with a probability of its weight's share; a weight of 0 is never drawn."""
    weights = [variant["weight"] for variant in variants]
    if not any(weights):
        raise validation_error("No production variant has a weight above 0.")
    return chance.choices(variants, weights)[0]


def validation_error(message: str) -> AwsError:
    """Return the runtime's refusal of a request."""
    return AwsError("ValidationError", message)


def _not_found(endpoint: str) -> AwsError:
    return validation_error(f"Endpoint {endpoint} of account {ACCOUNT} not found.")


def too_large(limit: int) -> AwsError:
    """Return the runtime's refusal of a body."""
    text = f"HTTP content length exceeded {limit} bytes."
    return AwsError("ValidationError", text, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _look_at(task: asyncio.Task[Answer]) -> None:
    """Tell the failure of a request that nobody waits for."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("an invocation that nobody waits for failed: %s", error)
