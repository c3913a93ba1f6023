"""The client for an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cloudserve.client.answer import Answer
from cloudserve.client.client import TIMEOUT
from cloudserve.client.conversation import (
    Confirm,
    Conversation,
    Describe,
    Known,
    Pause,
    Question,
    Send,
    Step,
)
from cloudserve.client.mirror import Mirror
from cloudserve.client.retry import Deadline, Retry
from cloudserve.client.transports.access import Access
from cloudserve.client.transports.address import check_version
from cloudserve.client.transports.channel import AsyncChannel
from cloudserve.client.transports.opening import Subject, address_of, open_async_channel, version_of
from cloudserve.client.weights import Weights
from cloudserve.project import Project


class AsyncClient:
    """Sends predictions from an event loop, to the same subjects as `Client`.

    REST and gRPC take no thread per request. Targets of clouds, whose SDKs block, and models in
    this process take one of the loop's threads.
    """

    def __init__(  # noqa: PLR0913 - keywords, each with its default
        self,
        subject: Subject,
        model: str | None = None,
        target: str | None = None,
        *,
        version: str | None = None,
        project: Project | None = None,
        environ: Mapping[str, str] | None = None,
        access: Access | None = None,
        retry: Retry | None = None,
        timeout: float = TIMEOUT,
        weights: Weights | None = None,
        mirror: Mirror | None = None,
        files: str | Path | None = None,
    ) -> None:
        """Bind to a model, for the running event loop; see `Client`."""
        address = address_of(subject, model, target)
        project = subject if isinstance(subject, Project) else project
        self._channel: AsyncChannel = open_async_channel(
            address, project, environ, access or Access(), files
        )
        self._known = Known()
        self._retry = retry or Retry()
        self._timeout = timeout
        self._weights = weights
        self._mirror = mirror
        self._version = check_version(version or version_of(address))

    @property
    def where(self) -> str:
        """Return the address or the target, as answers and errors name it."""
        return self._channel.wire.where

    async def predict(
        self,
        inputs: Any,
        *,
        signature: str | None = None,
        version: str | None = None,
        key: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline of several requests
    ) -> Answer:
        """Return the outputs of a model for a batch; see `Client.predict`."""
        deadline = Deadline(self._timeout if timeout is None else timeout)
        conversation = Conversation(self._channel.wire, self._known, self._retry, deadline)
        question = Question(inputs, signature or "", version or self._chosen(key))
        answer = await self._drive(conversation.predict(question))
        if self._mirror is not None:
            self._mirror.copy(inputs, signature, answer)
        return answer

    async def close(self) -> None:
        """Close the connections, and release a model in this process."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _chosen(self, key: str | None) -> str:
        return self._version if self._weights is None else self._weights.choose(key)

    async def _drive(self, steps: Any) -> Answer:
        """Perform the steps of a conversation, and return its result."""
        result: Any = None
        failure: Exception | None = None
        while True:
            try:
                step = steps.throw(failure) if failure else steps.send(result)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            failure = None
            try:
                result = await self._perform(step)
            except Exception as error:  # noqa: BLE001 - the conversation decides about it
                failure = error

    async def _perform(self, step: Step) -> Any:
        match step:
            case Describe(version, seconds):
                return await self._channel.describe(version, seconds)
            case Confirm(version):
                return await self._channel.confirm(version)
            case Send(call, request, seconds):
                return await self._channel.send(call, request, seconds)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
