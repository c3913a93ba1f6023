"""The container's HTTP port: `/ping`, `/invocations`, `/models`.

Source: nginx.conf.template (prefix locations, the 404) and python_service.py (falcon's routes).
Where nginx and falcon answer with HTML or without a body, the body is empty here.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import msgspec

from ..transport.types import Head, Request, Response
from .container import Container
from .types import Answer, Invocation, error_answer

_MOST_BODY = 2**31 - 1  # nginx: client_max_body_size 0
_MODELS = re.compile(r"/models(?:/(?P<model>[^/]+)(?P<invoke>/invoke)?)?/?")
_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"


class ContainerApp:
    """The HTTP application of one container."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def body_limit(self, head: Head) -> int | None:  # noqa: ARG002  the same for every request
        """Collect every body."""
        return _MOST_BODY

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        answer = await self._answer(request)
        return Response(answer.status, answer.body, answer.content_type)

    async def _answer(self, request: Request) -> Answer:
        path, method = unquote(request.head.path), request.head.method
        container, invocation = self._container, read_invocation(request.head, request.content)
        if is_control(path):
            return await self._models(method, path, invocation)
        if path.startswith("/ping"):
            if container.has_script or (path, method) == ("/ping", "GET"):
                return await container.ping(invocation)
            return _not_routed(path == "/ping")
        if path.startswith("/invocations"):
            if container.has_script or (path, method) == ("/invocations", "POST"):
                return await container.invoke(invocation)
            return _not_routed(path == "/invocations")
        return Answer(HTTPStatus.NOT_FOUND, b'{"error": "Not Found"}')

    async def _models(self, method: str, path: str, invocation: Invocation) -> Answer:
        if self._container.has_script:
            # nginx has no upstream for these paths.
            return Answer(HTTPStatus.BAD_GATEWAY)
        match = _MODELS.fullmatch(path)
        if match is None or not self._container.settings.multi_model:
            return Answer(HTTPStatus.NOT_FOUND)
        return await self._model(method, match["model"], bool(match["invoke"]), invocation)

    async def _model(
        self,
        method: str,
        name: str | None,
        is_invoke: bool,
        invocation: Invocation,
    ) -> Answer:
        models = self._container.models
        match method, name, is_invoke:
            case "POST", None, _:
                return await self._load(invocation.body)
            case "GET", None, _:
                return await models.list()
            case "POST", str(), True:
                return await self._container.invoke_model(name, invocation)
            case "GET", str(), _:
                return await models.describe(name)
            case "DELETE", str(), _:
                return await models.unload(name)
            case _:
                return _not_routed(known=True)

    async def _load(self, body: bytes) -> Answer:
        fields = _read_object(body)
        name, url = fields.get("model_name"), fields.get("url")
        if not isinstance(name, str) or not isinstance(url, str):
            text = 'the body is not {"model_name": "…", "url": "…"}'
            return error_answer(HTTPStatus.BAD_REQUEST, text)
        return await self._container.models.load(name, url)


def is_control(path: str) -> bool:
    """Return whether a path loads or unloads models."""
    return unquote(path).startswith("/models")


def read_invocation(head: Head, body: bytes) -> Invocation:
    """Return the parts of a request that the container uses."""
    headers = head.headers
    return Invocation(
        body, headers.get("content-type"), headers.get("accept"), headers.get(_ATTRIBUTES)
    )


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _not_routed(known: bool) -> Answer:
    return Answer(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)
