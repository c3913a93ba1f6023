"""The Python service: what answers a container with code of the user's, or with many models.

Source: python_service.py (`PythonServiceResource`), tfs_utils.py (`parse_request`).
"""

from __future__ import annotations

from typing import Any

from ..nginx.attributes import Target, service_target
from ..nginx.conversion import media_type
from ..nouns import JSON, Answer, Invocation, RefusedError, error_answer
from ..release import Release
from ..upstream import Upstream
from .handlers import Handlers, refused

_TIMEOUT = 60
"""What `context.timeout` says, whatever the settings (tfs_utils.py, `parse_request`)."""
_DEFAULT_TYPES = {"application/json", "application/jsonlines", "application/jsons", "text/csv"}


class ServiceFace:
    """Answers `/ping` and `/invocations` through handlers."""

    def __init__(self, release: Release, upstream: Upstream, default: str) -> None:
        self._release = release
        self._upstream = upstream
        self._default = default

    def ping(self) -> Answer:
        """Say that the service runs; it does not look at the model."""
        return Answer(200)

    async def invoke(
        self,
        handlers: Handlers | None,
        invocation: Invocation,
        model: str | None = None,
    ) -> Answer:
        """Have the user's handlers answer a request, or the default one where there are none."""
        try:
            target = service_target(self._release, invocation.attributes, self._default, model)
        except RefusedError as error:
            return error_answer(error.status, error.message)
        if handlers is None:
            return await self._by_default(target, invocation)
        return await handlers.answer(self._context(target, invocation, model), invocation.body)

    async def _by_default(self, target: Target, invocation: Invocation) -> Answer:
        """Hand a body on as it came: without the script there are no conversions.

        2.19 takes any type, and answers 200 whatever TensorFlow Serving says.
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
            return refused(reply.status, reply.body)
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
            # A multi-model container hands out ports alone.
            "with_channel": model is None,
        }
