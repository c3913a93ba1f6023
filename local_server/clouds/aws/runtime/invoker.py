"""Endpoint invocation: the choice of a deployment and variant, time limits, data capture."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeGuard

from ....container import Answer
from ....own_images import NoAnswerError
from ...latency import Clock
from ..cloudwatch.endpoint_metrics import EndpointMetrics, Invoked
from ..sagemaker.components.deployer import ComponentDeployer
from ..sagemaker.containers.pool import ContainerPool, Running
from ..sagemaker.containers.several import Progress, Several, pipe
from ..sagemaker.endpoints.deployments import Deployment, Variant
from ..sagemaker.endpoints.endpoints import Endpoints, Routing
from ..sagemaker.multi_container import DIRECT
from .data_capture import CapturedInvocation, DataCapture
from .requests import (
    InvokeRequest,
    InvokeResult,
    ModelRefusalError,
    not_found,
    oversize,
    too_large,
    validation_error,
)
from .targets import NoCapacityError, Target, component_target, variant_target

logger = logging.getLogger(__name__)

PAYLOAD_LIMIT = 6_291_456
"""Bytes of the body of InvokeEndpoint's input, and of its output (botocore's model of the
runtime)."""
SERVERLESS_LIMIT = 4 * 1024 * 1024
"""Bytes of a request, and of its answer (developer guide, "Invoke a serverless endpoint")."""
ASYNC_LIMIT = 1024 * 1024 * 1024
"""Bytes of an input in the bucket (developer guide, "Asynchronous inference")."""
TIME_LIMIT = 60.0
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container %s. Review the"
    " latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)

_NO_ANSWER = (
    "Amazon SageMaker could not get a response from the %s endpoint. This can occur when CPU or"
    " memory utilization is high. To check your utilization, see Amazon CloudWatch. To fix this"
    " problem, use an instance type with more CPU capacity or memory."
)
"""The service's message if a container dies during a request (amazon-sagemaker-examples#2815)."""


@dataclass(slots=True)
class Call:
    """A call of a variant's container."""

    request: InvokeRequest
    target: Target
    begin: float | None = None
    """When the request arrived; None for a copy that a shadow variant receives."""
    status: int = 0

    def invoked(self, sent: float, answered: float) -> Invoked:
        """Return the invocation as metrics have it, from the times around the container's part."""
        request, variant = self.request, self.target.variant
        return Invoked(
            request.region,
            request.endpoint,
            variant.name,
            self.status,
            model_seconds=answered - sent,
            overhead_seconds=None if self.begin is None else sent - self.begin,
            instances=variant.count,
            is_async=request.is_async,
            component=self.target.component,
            copies=self.target.copies,
        )


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where invocations are recorded."""

    capture: DataCapture
    metrics: EndpointMetrics


class Invoker:
    """Sends invocations to the containers of endpoints."""

    def __init__(  # noqa: PLR0913 - each is a part with tests of its own
        self,
        endpoints: Endpoints,
        pool: ContainerPool,
        components: ComponentDeployer,
        outlets: Outlets,
        *,
        rng: random.Random,
        clock: Clock,
        timeout_clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._components = components
        self._pool = pool
        self._capture = outlets.capture
        self._metrics = outlets.metrics
        self._rng = rng
        self._clock = clock
        self._timeout_clock = timeout_clock
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def routing(self, region: str, endpoint: str) -> Routing:
        """Return an endpoint's routing; raises AwsError if no deployment serves it."""
        routing = await self._endpoints.routing(region, endpoint)
        if routing is None:
            raise not_found(endpoint)
        return routing

    async def invoke(self, request: InvokeRequest, *, seconds: float = TIME_LIMIT) -> InvokeResult:
        """Invoke an endpoint, for at most `seconds`; raises AwsError, ModelRefusalError."""
        begin = time.perf_counter()
        routing = await self.routing(request.region, request.endpoint)
        deployment = self._draw_deployment(routing)
        if deployment.asynchronous is not None and not request.is_async:
            raise validation_error(
                f"Endpoint {request.endpoint} is configured for asynchronous inference: use"
                " InvokeEndpointAsync."
            )
        target = await self._target(deployment, request)
        _check_size(request, target.variant)
        # No await that takes time separates this from reading the deployment, so it cannot be
        # unloaded in between.
        with self._pool.hold(target.key) as running:
            if running is None:
                raise NoCapacityError if target.component else not_found(request.endpoint)
            call, progress = Call(request, target, begin), Progress()
            with self._published(call):
                work = _answer(running, request, progress)
                answer = await self._with_timeout(seconds, request, work, progress)
                call.status = answer.status
        self._shadow(deployment, request)
        if answer.status != HTTPStatus.OK:
            message = answer.body.decode("utf-8", "replace")
            raise ModelRefusalError(request, answer.status, message, answer, progress.container)
        check_answer(request, target.variant, answer, progress.container)
        await self._write_capture(deployment, target.variant, request, answer)
        return InvokeResult(target.variant.name, answer)

    async def _target(self, deployment: Deployment, request: InvokeRequest) -> Target:
        """Return what answers; raises AwsError. Does not wait unless it is a component."""
        if not deployment.hosts_components:
            return variant_target(deployment, request, self._rng)
        try:
            return await component_target(deployment, request, self._components)
        except NoCapacityError:
            self._metrics.publish_no_capacity(request.region, request.component or "")
            raise

    def _draw_deployment(self, routing: Routing) -> Deployment:
        """Choose the deployment that answers; the pending one gets its share of the requests."""
        is_shifted = routing.pending is not None and routing.share > 0
        if routing.pending is not None and is_shifted and self._rng.random() < routing.share:
            return routing.pending
        return routing.serving

    async def _with_timeout(
        self,
        seconds: float,
        request: InvokeRequest,
        work: Coroutine[Any, Any, Answer],
        progress: Progress,
    ) -> Answer:
        """Await an answer for at most `seconds`; the container continues after a timeout."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        over = asyncio.ensure_future(self._timeout_clock.sleep(seconds))
        try:
            await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if not task.done():
            task.add_done_callback(_log_failure)
            name = progress.container
            raise ModelRefusalError(request, 0, _TIMED_OUT % name, container=name)
        try:
            return task.result()
        except NoAnswerError as error:
            logger.warning("%s", error.message)
            raise ModelRefusalError(
                request, 0, _NO_ANSWER % request.endpoint, container=progress.container
            ) from error

    def _shadow(self, deployment: Deployment, request: InvokeRequest) -> None:
        """Send a copy to the shadow variant as often as its weight says; discard its answer."""
        total = sum(variant.weight for variant in deployment.variants) or 1.0
        for shadow in deployment.shadows:
            if self._rng.random() < shadow.weight / total:
                task = asyncio.create_task(self._ask_shadow(deployment, shadow, request))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                task.add_done_callback(_log_failure)

    async def _ask_shadow(
        self, deployment: Deployment, shadow: Variant, request: InvokeRequest
    ) -> Answer:
        with self._pool.hold(deployment.key(shadow)) as running:
            if running is None:
                raise not_found(request.endpoint)
            call = Call(request, Target(shadow, deployment.key(shadow)))
            with self._published(call):
                answer = await _answer(running, request, Progress())
                call.status = answer.status
        if answer.status == HTTPStatus.OK:
            await self._write_capture(deployment, shadow, request, answer)
        else:
            logger.warning("shadow variant %s answered %d", shadow.name, answer.status)
        return answer

    @contextmanager
    def _published(self, call: Call) -> Iterator[None]:
        """Publish the metrics of a call of a container, whether it is answered or not."""
        sent = time.perf_counter()
        try:
            yield
        except (ModelRefusalError, NoAnswerError):
            self._metrics.publish(call.invoked(sent, time.perf_counter()))
            raise
        self._metrics.publish(call.invoked(sent, time.perf_counter()))

    async def _write_capture(
        self, deployment: Deployment, variant: Variant, request: InvokeRequest, answer: Answer
    ) -> None:
        config = deployment.capture
        if config is None or not self._capture.is_sampled(config):
            return
        captured = CapturedInvocation(
            request.endpoint, variant.name, request.invocation, answer, request.inference_id
        )
        await self._capture.write(config, captured, self._clock.now())

    async def close(self) -> None:
        """Cancel the invocations that have no caller any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _check_size(request: InvokeRequest, variant: Variant) -> None:
    size = len(request.invocation.body)
    if variant.serverless and size > SERVERLESS_LIMIT:
        raise oversize()
    limit = ASYNC_LIMIT if request.is_async else PAYLOAD_LIMIT
    if size > limit:
        raise too_large(limit)


def check_answer(request: InvokeRequest, variant: Variant, answer: Answer, container: str) -> None:
    """Raise ModelRefusalError for an answer that is larger than the service returns.

    Nothing limits the parts of a stream together, or what is written to a bucket. The service's
    text is not known.
    """
    limit = PAYLOAD_LIMIT
    if variant.serverless:
        limit = SERVERLESS_LIMIT
    elif request.is_async or request.is_streamed:
        return
    size = len(answer.body)
    if size > limit:
        text = f"The answer has {size} bytes; the endpoint returns at most {limit}."
        raise ModelRefusalError(request, 0, text, container=container)


async def _answer(running: Running, request: InvokeRequest, progress: Progress) -> Answer:
    container = running.container
    if request.container is not None and not _is_direct(container):
        raise validation_error(
            f"Endpoint {request.endpoint} is not configured for direct invocation and does not"
            " support target container hostname header."
        )
    if running.hosted is None:
        if request.model is not None:
            raise validation_error(
                f"Endpoint {request.endpoint} is not a multi-model endpoint and does not support"
                " target model header."
            )
        if _is_direct(container):
            return await _answer_directly(container, request, progress)
        if isinstance(container, Several):
            return await pipe(container.containers, request.invocation, progress)
        return await container.invoke(request.invocation)
    if request.model is None:
        raise validation_error(
            f"Endpoint {request.endpoint} is a multi-model endpoint: the target model header is"
            " required."
        )
    return await running.hosted.invoke(request.model, request.invocation)


def _is_direct(container: object) -> TypeGuard[Several]:
    return isinstance(container, Several) and container.mode == DIRECT


async def _answer_directly(several: Several, request: InvokeRequest, progress: Progress) -> Answer:
    """Have the named container answer; raises AwsError if the request names none, or another.

    Source: developer guide, "Invoke a multi-container endpoint with direct invocation", which
    calls these validation errors; the texts are ours.
    """
    if request.container is None:
        raise validation_error(
            f"Endpoint {request.endpoint} is configured for direct invocation: the target container"
            " hostname header is required."
        )
    container = several.containers.get(request.container)
    if container is None:
        raise validation_error(
            f"Target container {request.container} not found for endpoint {request.endpoint}."
        )
    progress.container = request.container
    return await container.invoke(request.invocation)


def _log_failure(task: asyncio.Task[Answer]) -> None:
    """Log the failure of an invocation that has no caller any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("an invocation without a caller failed: %s", error)
