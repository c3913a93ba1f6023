"""The client of a deployed model, the same for every target."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any

from cloudserve import registry
from cloudserve.errors import RemoteError, UserError
from cloudserve.project import Project
from cloudserve.release.destination import Destination, destination_of
from cloudserve.release.planning.planner import choose


class Client:
    """Sends prediction requests to a model on a target, through the platform's own API."""

    def __init__(
        self,
        project: Project,
        model: str,
        target: str,
        *,
        version: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Bind to a model; `version` pins a deployed revision, otherwise the traffic split decides.

        Raises UserError for an unknown model, target or version.
        """
        self._model = project.model(model).name
        self._target = project.target(target)
        environ = os.environ if environ is None else environ
        self._provider = registry.provider(self._target, environ)
        self._revision: str | None = None
        if version is not None:
            self._revision = choose(
                self._provider.read(self._model).deployment, version
            ).revision.id

    @cached_property
    def destination(self) -> Destination:
        """Where requests go: the offline clouds, or a cloud account; read once.

        Raises ProjectError if it is an account and the target has placeholders of `init`.
        """
        return destination_of(self._target, self._provider.destination())

    def predict(self, instances: Sequence[Any] | Any, *, signature: str | None = None) -> list[Any]:
        """Return one prediction per instance.

        `instances` is a list of values, or an array of shape (n, ...): the value itself for a
        signature of one input, otherwise a mapping by input name. Values are JSON, bytes or arrays.
        Raises UserError for any other value, RemoteError with the platform's reason.
        """
        request: dict[str, Any] = {"instances": _plain(instances)}
        if signature is not None:
            request["signature_name"] = signature
        return self.predictions(self.send(_encode(request)))

    def send(self, body: bytes) -> bytes:
        """Send a JSON request unchanged and return the response body unchanged.

        Raises UserError if it is not JSON, before sending it, and RemoteError with the platform's
        reason.
        """
        _check_json(body)
        try:
            return self._provider.predict(self._model, body, self._revision)
        except RemoteError as error:
            error.hint = error.hint or self._advice(error)
            raise

    def _advice(self, error: RemoteError) -> str | None:
        """Return a hint for a platform's refusal, for adapters that have none."""
        if error.status == HTTPStatus.NOT_FOUND:
            return f"deploy it first: cloudserve deploy {self._model} --target {self._target.name}"
        if error.retryable:
            return "run the same command again"
        return f"`cloudserve inspect {self._model}` shows the inputs of its signatures"

    def predictions(self, answer: bytes) -> list[Any]:
        """Return the predictions in a JSON response; raises RemoteError if there are none."""
        response = _decode(answer, self._model)
        if not isinstance(response, dict) or not isinstance(response.get("predictions"), list):
            raise RemoteError(
                "the answer has no `predictions`",
                where=self._model,
                hint="`cloudserve predict --output json` prints it unchanged",
            )
        return list(response["predictions"])


def _check_json(body: bytes) -> None:
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the request is not JSON: {error}" if body.strip() else "the request is empty",
            hint='send {"instances": […]}, one entry per prediction',
        ) from error


def _encode(request: dict[str, Any]) -> bytes:
    try:
        return json.dumps(request, default=_json).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"`instances` cannot be sent as JSON: {error}",
            hint="give numbers, texts, bytes, arrays, and lists and mappings of them",
        ) from error


def _json(value: Any) -> Any:
    """Return the JSON form of bytes (TensorFlow Serving's `b64` object), arrays and scalars."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"it holds a {type(value).__name__}")


def _decode(answer: bytes, model: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError as error:
        raise RemoteError(
            f"the answer is not JSON: {error}",
            where=model,
            hint="check which server answers there: a proxy, or your own container",
        ) from error


def _plain(instances: Any) -> list[Any]:
    values = instances.tolist() if hasattr(instances, "tolist") else instances
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise UserError(
            "`instances` must be a list or an array", hint="put a single instance in a list"
        )
    return list(values)
