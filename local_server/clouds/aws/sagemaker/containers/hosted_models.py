"""The models of a multi-model endpoint, downloaded from their prefix on demand.

SageMaker's part in a multi-model endpoint: it loads a model on its first request, and unloads the
least recently used ones when the container is out of memory (507).
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError

from .....container import Answer, Container, Invocation
from ....objects.store.errors import NoSuchBucketError
from ....objects.store.store import ObjectStore
from ....objects.store.types import ObjectInfo
from ...protocol.errors import AwsError
from ..models import source_of
from .model_data import unpack

_FOLDER = b"/opt/ml/models"
"""The models' path in the container, which messages show instead of the local path."""


class HostedModels:
    """The models of one multi-model container, by the key below its prefix."""

    def __init__(
        self, store: ObjectStore, definition: Mapping[str, Any], container: Container, folder: Path
    ) -> None:
        self._store = store
        self._source = source_of(definition)
        self._container = container
        self._folder = folder / "models"
        self._used: dict[str, None] = {}
        """The names of the loaded models, least recently used first."""
        self._turn = asyncio.Lock()

    async def invoke(self, target: str, invocation: Invocation) -> Answer:
        """Invoke a model, loading it first if necessary.

        Raises AwsError if its archive does not exist. If the container cannot load the model, its
        answer to the load request is returned.
        """
        name = _name(target)
        refusal = await self._ensure_loaded(name, target)
        if refusal is not None:
            return refusal
        return await self._container.invoke_model(name, invocation)

    async def _ensure_loaded(self, name: str, target: str) -> Answer | None:
        async with self._turn:
            if name in self._used:
                self._used[name] = self._used.pop(name)
                return None
            answer = await self._load(name, await asyncio.to_thread(self._fetch, name, target))
            if answer.status == HTTPStatus.OK:
                self._used[name] = None
                return None
            await asyncio.to_thread(shutil.rmtree, self._folder / name, ignore_errors=True)
            return answer

    async def _load(self, name: str, folder: Path) -> Answer:
        """Load a model; unload others while the container is out of memory."""
        models = self._container.models
        while True:
            answer = await models.load(name, str(folder))
            if answer.status != HTTPStatus.INSUFFICIENT_STORAGE or not self._used:
                body = answer.body.replace(str(self._folder).encode(), _FOLDER)
                return replace(answer, body=body)
            await self._evict(next(iter(self._used)))

    async def _evict(self, name: str) -> None:
        del self._used[name]
        await self._container.models.unload(name)
        await asyncio.to_thread(shutil.rmtree, self._folder / name, ignore_errors=True)

    def _fetch(self, name: str, target: str) -> Path:
        key = self._source.key + target.removeprefix("/")
        info = self._find(key)
        if info is None:
            raise AwsError(
                "ValidationError",
                f"Failed to download model data(bucket: {self._source.bucket}, key: {key}). Please"
                " ensure that there is an object located at the URL and that the role passed to"
                " CreateModel has permissions to download the model.",
            )
        folder = self._folder / name / "model"
        folder.mkdir(parents=True)
        try:
            unpack(self._store.path(info), folder)
        except ModelError as error:
            shutil.rmtree(self._folder / name)
            raise AwsError("ValidationError", error.message) from error
        return folder

    def _find(self, key: str) -> ObjectInfo | None:
        try:
            return self._store.find(self._source.bucket, key)
        except NoSuchBucketError:
            return None

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return the container's names of the loaded models, least recently used first."""
        return tuple(self._used)


def _name(target: str) -> str:
    """Return a model's name in the container: SageMaker derives it from the target's digest."""
    return hashlib.sha256(target.encode()).hexdigest()[:32]
