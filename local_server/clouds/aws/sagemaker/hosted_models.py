"""The models of a multi-model endpoint: fetched from their prefix when a request asks for one.

What SageMaker does around the container: it loads a model on its first request, and unloads those
that were not asked for the longest when the container has no room (507).
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

from ....container import Answer, Container, Invocation
from ....container.archive import unpack
from ...objects.store.errors import NoSuchBucketError
from ...objects.store.store import ObjectStore
from ...objects.store.types import ObjectInfo
from ..protocol.errors import AwsError
from .models import source_of

_FOLDER = b"/opt/ml/models"
"""Where models lie in the container: what messages say instead of this machine's path."""


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
        """The names of the loaded models, the one not asked for the longest first."""
        self._turn = asyncio.Lock()

    async def invoke(self, target: str, invocation: Invocation) -> Answer:
        """Answer a request for a model, loading it first where it is not.

        Raises AwsError when its archive is not there. A container that cannot load it answers so.
        """
        name = _name(target)
        refusal = await self._bring(name, target)
        if refusal is not None:
            return refusal
        return await self._container.invoke_model(name, invocation)

    async def _bring(self, name: str, target: str) -> Answer | None:
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
        """Load a model; as long as there is no room for it, make some."""
        models = self._container.models
        while True:
            answer = await models.load(name, str(folder))
            if answer.status != HTTPStatus.INSUFFICIENT_STORAGE or not self._used:
                said = answer.body.replace(str(self._folder).encode(), _FOLDER)
                return replace(answer, body=said)
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
        """Return the container's names of the loaded models, least recently asked for first."""
        return tuple(self._used)


def _name(target: str) -> str:
    """Return the container's name of a model: SageMaker makes one of the target's digest."""
    return hashlib.sha256(target.encode()).hexdigest()[:32]
