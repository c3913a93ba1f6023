"""The few calls of AI Platform's ml v1 that a release needs.

The control plane goes through googleapiclient with its built-in discovery document. Predictions
go as plain HTTPS: the body is passed on as the bytes it came as.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

import msgspec
from google.api_core.client_options import ClientOptions
from google.auth.transport.requests import AuthorizedSession
from googleapiclient import discovery

from cloudserve.errors import RemoteError

from .credentials import Access
from .errors import refused, translated

Record = Mapping[str, Any]
PAGE = 100
RETRIES = 2
TIMEOUT = (10.0, 120.0)
"""Seconds to connect, and between two reads."""


class _Failure(msgspec.Struct):
    """What an answer says of its failure: an object (HTTP >= 400), or a text with HTTP 200."""

    error: str | dict[str, Any] | None = None


class MlClient:
    """ml v1 of one project at one endpoint. Errors are RemoteError."""

    def __init__(
        self, project: str, endpoint: str, access: Access, *, retries: int = RETRIES
    ) -> None:
        self._project = f"projects/{project}"
        self._endpoint = endpoint.rstrip("/")
        self._access = access
        self._retries = retries

    def url(self, model: str, version: str | None = None) -> str:
        """Return the URL of a model or a version."""
        return f"{self._endpoint}/v1/{self._name(model, version)}"

    def get_model(self, model: str) -> Record | None:
        """Return a model, or None."""
        return self._get(self._models.get(name=self._name(model)), "read", self.url(model))

    def get_version(self, model: str, version: str) -> Record | None:
        """Return a version, or None."""
        request = self._versions.get(name=self._name(model, version))
        return self._get(request, "read", self.url(model, version))

    def list_versions(self, model: str) -> Iterator[Record]:
        """Yield a model's versions, over all pages."""
        request = self._versions.list(parent=self._name(model), pageSize=PAGE)
        while request is not None:
            answer = self._execute(request, "list versions", self.url(model))
            yield from answer.get("versions", [])
            request = self._versions.list_next(request, answer)

    def create_model(self, body: Record) -> Record:
        """Create a model; raises RemoteError with status 409 when the name is taken."""
        request = self._models.create(parent=self._project, body=body)
        return self._execute(request, "create the model", self.url(body["name"]))

    def create_version(self, model: str, body: Record) -> Record:
        """Start to create a version; return the operation."""
        request = self._versions.create(parent=self._name(model), body=body)
        return self._execute(request, "create the version", self.url(model, body["name"]))

    def delete_version(self, model: str, version: str) -> Record | None:
        """Start to delete a version; return the operation, or None when it is not there."""
        request = self._versions.delete(name=self._name(model, version))
        return self._get(request, "delete the version", self.url(model, version))

    def set_default(self, model: str, version: str) -> Record:
        """Give a version all of its model's traffic; return the version."""
        request = self._versions.setDefault(name=self._name(model, version), body={})
        return self._execute(request, "set the default version", self.url(model, version))

    def operation(self, name: str) -> Record:
        """Return an operation by its full name."""
        request = self._service.projects().operations().get(name=name)
        return self._execute(request, "read the operation", f"{self._endpoint}/v1/{name}")

    def predict(self, model: str, version: str | None, body: bytes) -> bytes:
        """Return the answer to a prediction.

        Raises RemoteError also for a failure inside an HTTP 200: a top-level `error` string.
        """
        where = f"{self.url(model, version)}:predict"
        with translated("predict", where):
            answer = self._session.post(
                where, data=body, headers={"Content-Type": "application/json"}, timeout=TIMEOUT
            )
        content = bytes(answer.content)
        error = _failure(content, where, answer.status_code)
        if answer.status_code != HTTPStatus.OK:
            reason = error.get("message") if isinstance(error, dict) else error
            raise refused("predict", where, answer.status_code, str(reason or answer.reason))
        if error:
            raise RemoteError(f"predict: {error}", where=where, status=answer.status_code)
        return content

    def _name(self, model: str, version: str | None = None) -> str:
        name = f"{self._project}/models/{model}"
        return name if version is None else f"{name}/versions/{version}"

    def _get(self, request: Any, what: str, where: str) -> Record | None:
        try:
            return self._execute(request, what, where)
        except RemoteError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _execute(self, request: Any, what: str, where: str) -> Record:
        with translated(what, where):
            answer = request.execute(num_retries=self._retries)
        if not isinstance(answer, dict):  # googleapiclient gives a 200 that is no JSON as text
            raise RemoteError(f"{what}: the answer is not JSON", where=where)
        return answer

    @cached_property
    def _service(self) -> Any:
        with translated("connect", self._endpoint):
            service = discovery.build(
                "ml",
                "v1",
                static_discovery=True,
                credentials=self._access.credentials,
                client_options=ClientOptions(api_endpoint=self._endpoint),
            )
        weakref.finalize(self, service.close)  # httplib2 leaves its sockets open otherwise
        return service

    @property
    def _models(self) -> Any:
        return self._service.projects().models()

    @property
    def _versions(self) -> Any:
        return self._models.versions()

    @cached_property
    def _session(self) -> Any:
        with translated("connect", self._endpoint):
            return AuthorizedSession(  # type: ignore[no-untyped-call]
                self._access.credentials
            )


def _failure(content: bytes, where: str, status: int) -> str | dict[str, Any] | None:
    try:
        # Only `error` is decoded; the predictions are skipped over.
        return msgspec.json.decode(content, type=_Failure).error
    except msgspec.DecodeError:
        return _slow_failure(content, where, status)


def _slow_failure(content: bytes, where: str, status: int) -> str | dict[str, Any] | None:
    """Decode an answer that is not strict JSON: a model's NaN and Infinity are bare words in it."""
    try:
        answer = json.loads(content)
    except ValueError as error:
        if status != HTTPStatus.OK:
            return None
        raise RemoteError("predict: the answer is not JSON", where=where, status=status) from error
    return answer.get("error") if isinstance(answer, dict) else None
