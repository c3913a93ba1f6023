"""The Python service, which answers in a container with user code or several models.

Source: python_service.py (`PythonServiceResource`), tfs_utils.py (`parse_request`).
"""

from __future__ import annotations

from typing import Any

from ..nginx.attributes import Target, service_target
from ..nginx.conversion import media_type
from ..release import Release
from ..types import JSON, Answer, Invocation, RefusedError, error_answer
from ..upstream import Upstream
from .handlers import Handlers, upstream_error

_TIMEOUT = 60
"""The value of `context.timeout`, whatever the settings (tfs_utils.py, `parse_request`)."""
_DEFAULT_TYPES = {"application/json", "application/jsonlines", "application/jsons", "text/csv"}


class PythonService:
    """Answers `/ping` and `/invocations` through handlers."""

    def __init__(self, release: Release, upstream: Upstream, default: str) -> None:
        self._release = release
        self._upstream = upstream
        self._default = default

    def ping(self) -> Answer:
        """Return 200: the service runs. The model is not checked."""
        return Answer(200)

    async def invoke(
        self,
        handlers: Handlers | None,
        invocation: Invocation,
        model: str | None = None,
    ) -> Answer:
        """Call the user's handlers; without handlers, forward the request to TensorFlow Serving."""
        try:
            target = service_target(self._release, invocation.attributes, self._default, model)
        except RefusedError as error:
            return error_answer(error.status, error.message)
        if handlers is None:
            return await self._forward(target, invocation)
        return await handlers.answer(self._context(target, invocation, model), invocation.body)

    async def _forward(self, target: Target, invocation: Invocation) -> Answer:
        """Forward a body unchanged: only the nginx script converts bodies.

        2.19 accepts any type, and answers 200 whatever TensorFlow Serving's status is.
        """
        is_new = self._release is not Release.V2_19
        kind = media_type(self._release, invocation.content_type)
        if is_new and kind and kind not in _DEFAULT_TYPES:
            return error_answer(415, f"Unsupported Media Type: {kind}")
        try:
            body = invocation.body.decode("utf-8").encode()
        except UnicodeDecodeError as error:
            return error_answer(500, str(error))
        reply = await self._upstream.call("POST", target.path, body)
        assert isinstance(reply.body, bytes)
        if is_new and reply.status != 200:  # noqa: PLR2004 HTTP's OK
            return upstream_error(reply.status, reply.body)
        return Answer(200, reply.body, invocation.accept or JSON)

    def _context(self, target: Target, invocation: Invocation, model: str | None) -> dict[str, Any]:
        return {
            "model_name": model or target.named.get("tfs-model-name"),
            "model_version": target.named.get("tfs-model-version"),
            "method": target.named.get("tfs-method"),
            "rest_uri": f"http://localhost:{self._upstream.rest_port}{target.path}",
            "grpc_port": str(self._upstream.grpc_port),
            "custom_attributes": invocation.attributes,
            "request_content_type": invocation.content_type or JSON,
            "accept_header": invocation.accept or JSON,
            "content_length": len(invocation.body),
            "timeout": _TIMEOUT,
            # A multi-model container provides ports, not a channel.
            "with_channel": model is None,
        }
