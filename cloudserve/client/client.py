"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cloudserve.client.answer import Answer
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
from cloudserve.client.payloads.raw import ask_decoded
from cloudserve.client.retry import Deadline, Retry
from cloudserve.client.transports.access import Access
from cloudserve.client.transports.address import check_version
from cloudserve.client.transports.channel import Channel
from cloudserve.client.transports.cloud import CloudChannel
from cloudserve.client.transports.opening import Subject, address_of, open_channel, version_of
from cloudserve.client.transports.platform import PlatformChannel, check_json
from cloudserve.client.weights import Weights
from cloudserve.errors import UserError
from cloudserve.project import Project
from cloudserve.release.destination import Destination
from cloudserve.savedmodel.signature import Signature

TIMEOUT = 60.0
"""Seconds for a prediction; SageMaker and the shared domain of Vertex AI answer within 60."""


class Client:
    """Sends predictions to a model: of a server, on a target of a project, or in this process.

    A client may be used from many threads; it keeps its connections until `close`.
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
        """Bind to a model, without reaching the network; a `version` of a target is looked up.

        `subject` is `http(s)://HOST:PORT/v1/models/NAME`, `grpc(s)://HOST:PORT/NAME`, `unix:SOCKET`
        with a `model`, the directory of a model, `MODEL[:VERSION]@TARGET` of the project file, a
        project with a `model` and a `target`, or an endpoint's own name: `arn:aws:sagemaker:…`,
        `projects/P/locations/L/endpoints/E`, its URL, or `projects/P/models/M`. `version` pins a
        version's number or label, or a deployed revision; otherwise the server or the target's
        traffic split decides. `timeout` is the deadline of a prediction in seconds. `weights`
        divide the requests among versions, `mirror` gets copies of them. `files`, the directory of
        the SavedModel that an endpoint with its own name serves, check payloads and give the
        answers their dtypes. Raises UserError for an unknown subject or version.
        """
        address = address_of(subject, model, target)
        project = subject if isinstance(subject, Project) else project
        self._channel: Channel = open_channel(address, project, environ, access or Access(), files)
        self._known = Known()
        self._retry = retry or Retry()
        self._timeout = timeout
        self._weights = weights
        self._mirror = mirror
        self._version = check_version(version or version_of(address))
        if isinstance(self._channel, PlatformChannel):
            self._channel.revision(self._version)

    @property
    def where(self) -> str:
        """Return the address or the target, as answers and errors name it."""
        return self._channel.wire.where

    @property
    def has_destination(self) -> bool:
        """Return whether this client asks a cloud: a target, or an endpoint by its own name."""
        return isinstance(self._channel, PlatformChannel | CloudChannel)

    @property
    def destination(self) -> Destination:
        """Return where requests go: the offline clouds, or a cloud account.

        Raises ProjectError if it is an account and the target has placeholders of `init`, UserError
        if this client asks neither.
        """
        if not isinstance(self._channel, PlatformChannel | CloudChannel):  # has_destination
            raise UserError(
                "only a target of a project or an endpoint of a cloud has a destination",
                where=self.where,
                hint="`where` is the address",
            )
        return self._channel.destination

    def predict(
        self,
        inputs: Any,
        *,
        signature: str | None = None,
        version: str | None = None,
        key: str | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Return the outputs of a model for a batch.

        `inputs` is the value of the only input, a mapping of columns by input, or a list of
        mappings (rows): arrays, lists, numbers, texts, bytes. It is checked against the signature
        first. A batch beyond the target's limit is sent in parts. `version` and `timeout` replace
        the client's own; the weights choose by `key`, the same version for the same key. Raises
        UserError, in the terms of the signature, for a payload that the model does not take,
        RemoteError with the server's reason.
        """
        conversation = self._begin(timeout)
        question = Question(inputs, signature or "", version or self._chosen(key))
        answer: Answer = self._drive(conversation.predict(question))
        if self._mirror is not None:
            self._mirror.copy(inputs, signature, answer)
        return answer

    def send(self, body: bytes, *, timeout: float | None = None) -> bytes:
        """Send a JSON request and return the JSON response, both unchanged where JSON is the form.

        Over gRPC and in process the request is decoded, and the answer encoded as `predictions`, or
        as `outputs` for `inputs`. Raises UserError if it is not JSON, before sending it, and
        RemoteError with the server's reason. It is sent once.
        """
        check_json(body)
        seconds = Deadline(self._timeout if timeout is None else timeout).seconds
        send_json = getattr(self._channel, "send_json", None)
        if send_json is not None:
            answer: bytes = send_json(body, self._version, seconds)
            return answer
        return ask_decoded(body, self)

    def signatures(self) -> Sequence[Signature]:
        """Return the signatures of the model, sorted by name; () if the server tells none."""
        contract = self._channel.describe(self._version, self._timeout)
        signatures = contract.signatures if contract else {}
        return tuple(signatures[name] for name in sorted(signatures))

    def close(self) -> None:
        """Close the connections, and release a model in this process."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _chosen(self, key: str | None) -> str:
        return self._version if self._weights is None else self._weights.choose(key)

    def _begin(self, timeout: float | None) -> Conversation:
        deadline = Deadline(self._timeout if timeout is None else timeout)
        return Conversation(self._channel.wire, self._known, self._retry, deadline)

    def _drive(self, steps: Any) -> Any:
        """Perform the steps of a conversation, and return its result."""
        result: Any = None
        failure: Exception | None = None
        while True:
            try:
                step = steps.throw(failure) if failure else steps.send(result)
            except StopIteration as end:
                return end.value
            failure = None
            try:
                result = self._perform(step)
            except Exception as error:  # noqa: BLE001 - the conversation decides about it
                failure = error

    def _perform(self, step: Step) -> Any:
        match step:
            case Describe(version, seconds):
                return self._channel.describe(version, seconds)
            case Confirm(version):
                return self._channel.confirm(version)
            case Send(call, request, seconds):
                return self._channel.send(call, request, seconds)
            case Pause(seconds):
                return time.sleep(seconds)
