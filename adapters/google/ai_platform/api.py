"""The few calls of AI Platform's ml v1 that a release needs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cloudserve.release.destination import Destination

from ..credentials import Access
from ..googleapi import READ_SECONDS, RETRIES, GoogleApi, Record


class MlClient(GoogleApi):
    """ml v1 of one project at one endpoint. Errors are RemoteError."""

    def __init__(
        self, project: str, endpoint: str, access: Access, *, retries: int = RETRIES
    ) -> None:
        super().__init__("ml", "v1", endpoint, access, retries=retries)
        self.project = project
        self._parent = f"projects/{project}"

    def reached(self) -> Destination:
        """Return the project that predictions reach, or the offline clouds."""
        return self.destination(self._endpoint, self.project, "")

    def url(self, model: str, version: str | None = None) -> str:
        """Return the URL of a model or a version."""
        return f"{self._endpoint}/v1/{self._name(model, version)}"

    def get_model(self, model: str) -> Record | None:
        """Return a model, or None."""
        return self._find(self._models.get(name=self._name(model)), "read", self.url(model))

    def labelled_models(self, key: str, value: str) -> Iterator[Record]:
        """Yield the models with a label, over all pages."""
        words = f'labels.{key}="{value}"'
        where = f"{self._endpoint}/v1/{self._parent}"
        query = {"parent": self._parent, "filter": words}
        return self._listed(self._models, "models", "list models", where, **query)

    def get_version(self, model: str, version: str) -> Record | None:
        """Return a version, or None."""
        request = self._versions.get(name=self._name(model, version))
        return self._find(request, "read", self.url(model, version))

    def list_versions(self, model: str) -> Iterator[Record]:
        """Yield a model's versions, over all pages."""
        parent, where = self._name(model), self.url(model)
        return self._listed(self._versions, "versions", "list versions", where, parent=parent)

    def create_model(self, body: Record) -> Record:
        """Create a model; raises RemoteError with status 409 when the name is taken."""
        request = self._models.create(parent=self._parent, body=body)
        return self._execute(request, "create the model", self.url(body["name"]))

    def create_version(self, model: str, body: Record) -> Record:
        """Start to create a version; return the operation."""
        request = self._versions.create(parent=self._name(model), body=body)
        return self._execute(request, "create the version", self.url(model, body["name"]))

    def delete_version(self, model: str, version: str) -> Record | None:
        """Start to delete a version; return the operation, or None if it does not exist."""
        request = self._versions.delete(name=self._name(model, version))
        return self._find(request, "delete the version", self.url(model, version))

    def delete_model(self, model: str) -> Record | None:
        """Start to delete a model without versions; return the operation, None if it is gone."""
        request = self._models.delete(name=self._name(model))
        return self._find(request, "delete the model", self.url(model))

    def set_default(self, model: str, version: str) -> Record:
        """Give a version all of its model's traffic; return the version."""
        request = self._versions.setDefault(name=self._name(model, version), body={})
        return self._execute(request, "set the default version", self.url(model, version))

    def operation(self, name: str) -> Record:
        """Return an operation by its full name."""
        request = self._operations.get(name=name)
        return self._execute(request, "read the operation", f"{self._endpoint}/v1/{name}")

    def predict(
        self, model: str, version: str | None, body: bytes, seconds: float = READ_SECONDS
    ) -> bytes:
        """Return the answer to a prediction.

        Raises RemoteError also for a failure inside an HTTP 200: a top-level `error` string.
        """
        url = f"{self.url(model, version)}:predict"
        return self._answered(self._sent(url, body, seconds=seconds), url)

    def _name(self, model: str, version: str | None = None) -> str:
        name = f"{self._parent}/models/{model}"
        return name if version is None else f"{name}/versions/{version}"

    # Kept, because googleapiclient builds a collection for each access.

    @cached_property
    def _operations(self) -> Any:
        return self._service.projects().operations()

    @cached_property
    def _models(self) -> Any:
        return self._service.projects().models()

    @cached_property
    def _versions(self) -> Any:
        return self._models.versions()
