"""The running containers of one model: one, or several that answer in turn or by name.

Source: SageMaker developer guide, "Run Real-time Predictions with an Inference Pipeline" and
"Invoke a multi-container endpoint with direct invocation". Between the containers of a pipeline
the content type is that of the answer, and the accepted type is JSON ("The default
accept/content-type between containers for serial inference is JSON": amazon-sagemaker-examples,
Inference Pipeline with Scikit-learn and Linear Learner); the last container gets the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol

from .....container import Answer, Invocation
from .....container.types import JSON
from ..multi_container import PRIMARY, SERIAL


class Served(Protocol):
    """A running container."""

    async def ping(self) -> Answer:
        """Answer `/ping`."""
        ...

    async def invoke(self, invocation: Invocation) -> Answer:
        """Answer `/invocations`; raises NoAnswerError."""
        ...

    async def stop(self) -> None:
        """End the container."""
        ...


@dataclass(slots=True)
class Progress:
    """Which container has a request, for messages about it."""

    container: str = PRIMARY


@dataclass(frozen=True, slots=True)
class Several:
    """Several containers by name; they answer as `Served` does."""

    containers: Mapping[str, Served]
    mode: str = SERIAL

    async def ping(self) -> Answer:
        """Answer as the first container that is not healthy, or 200."""
        for container in self.containers.values():
            answer = await container.ping()
            if answer.status != HTTPStatus.OK:
                return answer
        return Answer(HTTPStatus.OK)

    async def invoke(self, invocation: Invocation) -> Answer:
        """Send a request through all containers."""
        return await pipe(self.containers, invocation, Progress())

    async def stop(self) -> None:
        """End all containers."""
        for container in self.containers.values():
            await container.stop()


async def pipe(
    containers: Mapping[str, Served], invocation: Invocation, progress: Progress
) -> Answer:
    """Give each container's answer to the next one; return the last, or the first failure."""
    answer = Answer(HTTPStatus.OK)
    last = list(containers)[-1]
    accept = invocation.accept
    for name, container in containers.items():
        progress.container = name
        wanted = accept if name == last else JSON
        answer = await container.invoke(replace(invocation, accept=wanted))
        if answer.status != HTTPStatus.OK:
            break
        invocation = replace(invocation, body=answer.body, content_type=answer.content_type)
    return answer
