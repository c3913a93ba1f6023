"""A client of a deployed model: one payload, any target."""

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
from cloudserve.release.destination import Destination, check_placeholders
from cloudserve.release.planning.planner import choose


class Client:
    """Predict with a model on a target, through the platform's own prediction call."""

    def __init__(
        self,
        project: Project,
        model: str,
        target: str,
        *,
        version: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Bind to a model; `version` pins a deployed revision, else the platform's traffic decides.

        Raises UserError for an unknown model, target or version.
        """
        self._model = project.model(model).name
        self._target = project.target(target)
        environ = os.environ if environ is None else environ
        self._provider = registry.provider(self._target, environ)
        self._revision: str | None = None
        if version is not None:
            self._revision = choose(self._provider.describe(self._model), version).revision.id

    @cached_property
    def destination(self) -> Destination:
        """The offline clouds, or the account of a cloud, that the requests reach; read once.

        Raises ProjectError when it is an account and the target has placeholders of `init`.
        """
        found = self._provider.destination()
        check_placeholders(self._target, found)
        return found

    def predict(self, instances: Sequence[Any] | Any, *, signature: str | None = None) -> list[Any]:
        """Return one prediction for each instance.

        `instances` is a list of values (or a numpy array of shape (n, ...)): for a signature of one
        input the value itself, for several an object by input name. A value is JSON's, bytes, or an
        array. Raises UserError for any other, RemoteError with the platform's reason.
        """
        request: dict[str, Any] = {"instances": _plain(instances)}
        if signature is not None:
            request["signature_name"] = signature
        return self.predictions(self.send(_encode(request)))

    def send(self, body: bytes) -> bytes:
        """Send a JSON request as it is and return the JSON answer as it comes.

        Raises UserError for what is no JSON, before it is sent, RemoteError with the platform's
        reason.
        """
        _check_json(body)
        try:
            return self._provider.predict(self._model, body, self._revision)
        except RemoteError as error:
            error.hint = error.hint or self._advice(error)
            raise

    def _advice(self, error: RemoteError) -> str | None:
        """Say what to do about a platform's refusal where the adapter has no better idea."""
        if error.status == HTTPStatus.NOT_FOUND:
            return f"deploy it first: cloudserve deploy {self._model} --target {self._target.name}"
        if error.retryable:
            return "run the same command again"
        return f"`cloudserve inspect {self._model}` shows what its signatures take"

    def predictions(self, answer: bytes) -> list[Any]:
        """Return the predictions in a JSON answer; raises RemoteError when there are none."""
        found = _decode(answer, self._model)
        if not isinstance(found, dict) or not isinstance(found.get("predictions"), list):
            raise RemoteError(
                "the answer has no `predictions`",
                where=self._model,
                hint="`cloudserve predict --output json` prints it as it came",
            )
        return list(found["predictions"])


def _check_json(body: bytes) -> None:
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the request is not JSON: {error}" if body.strip() else "the request is empty",
            hint='send {"instances": […]}, an entry for each prediction',
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
    """Return JSON's form of bytes (TensorFlow Serving's `b64` object), arrays and their scalars."""
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
            hint="look at what answers there: a proxy, or a container of your own",
        ) from error


def _plain(instances: Any) -> list[Any]:
    values = instances.tolist() if hasattr(instances, "tolist") else instances
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise UserError(
            "`instances` must be a list or an array of them", hint="put a single one in a list"
        )
    return list(values)
