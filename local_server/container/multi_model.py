"""The operations of a multi-model container: load, list, describe, unload.

Source: python_service.py (`_handle_load_model_post`, `on_get`, `on_delete`). SageMaker
itself calls them: it loads the model of a request, and unloads others if the container answers 507.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError

from ..tasks import Usage
from .discovery import Bundle, versions_below
from .nginx.attributes import is_model_name
from .python_service.code import UserCode, read_code
from .python_service.handlers import Handlers
from .settings import Settings
from .types import Answer, error_answer
from .upstream import Upstream

logger = logging.getLogger(__name__)
StartHandlers = Callable[[UserCode, str], Awaitable[Handlers | None]]


class _ScriptError(ModelError):
    """A model's `inference.py` cannot be imported."""


@dataclass(slots=True)
class LoadedModel:
    """A loaded model, its handlers and its usage by requests."""

    url: str
    handlers: Handlers | None
    usage: Usage = field(default_factory=Usage)


class MultiModel:
    """The models of a multi-model container."""

    def __init__(self, upstream: Upstream, settings: Settings, start: StartHandlers) -> None:
        self._upstream = upstream
        self._settings = settings
        self._start_handlers = start
        self._loaded: dict[str, LoadedModel] = {}
        self._turn = asyncio.Lock()

    async def load(self, name: str, url: str) -> Answer:
        """Answer `POST /models`: load every version below a folder."""
        async with self._turn:
            if not is_model_name(name):
                return error_answer(400, f"invalid model_name: {name!r}")
            if name in self._loaded:
                return error_answer(409, f"Model {name} is already loaded.")
            if len(self._loaded) >= self._settings.capacity:
                text = "Memory exhausted: no available ports to load the model."
                return error_answer(507, text)
            return await self._load(name, url)

    async def _load(self, name: str, url: str) -> Answer:
        folder = Path(url)
        bundles = await asyncio.to_thread(lambda: versions_below(folder, name))
        if not bundles:
            text = f"Could not find valid base path {url} for servable {name}"
            return error_answer(404, text)
        try:
            self._loaded[name] = await self._load_versions(name, url, bundles)
        except _ScriptError as error:
            # The image does not catch an error of the import; falcon answers.
            logger.warning("model %s: %s", name, error.message)
            return Answer(500, b'{"title": "500 Internal Server Error"}')
        except ModelError as error:
            # The image notices only by a timeout, and answers without the reason.
            waited = f"Timed out after {self._settings.wait_seconds} seconds"
            text = f"{waited}: {error.message.replace(f'{folder}/', '')}"
            return Answer(408, text.encode())
        ports = self._upstream.rest_port, self._upstream.grpc_port
        text = (
            f"Successfully loaded model {name}, listening on rest port {ports[0]}"
            f" and grpc port {ports[1]}."
        )
        return _success(text)

    async def _load_versions(self, name: str, url: str, bundles: tuple[Bundle, ...]) -> LoadedModel:
        await self._upstream.load(bundles)
        try:
            code = await asyncio.to_thread(read_code, Path(url) / "code")
            if code.requirements is not None:
                # The image installs only the requirements of the code shared by all models.
                logger.warning("model %s: its code/requirements.txt is not installed", name)
            return LoadedModel(url, await self._start(replace(code, requirements=None), name))
        except BaseException:
            await self._upstream.unload(name)
            raise

    async def _start(self, code: UserCode, name: str) -> Handlers | None:
        try:
            return await self._start_handlers(code, name)
        except ModelError as error:
            raise _ScriptError(error.message) from error

    async def unload(self, name: str) -> Answer:
        """Answer `DELETE /models/{name}` after the requests in progress."""
        async with self._turn:
            if not is_model_name(name):
                return error_answer(400, f"invalid model_name: {name!r}")
            loaded = self._loaded.pop(name, None)
            if loaded is None:
                return error_answer(404, f"Model {name} is not loaded yet")
            await self._free(name, loaded)
            return _success(f"Successfully unloaded model {name}.")

    async def _free(self, name: str, loaded: LoadedModel) -> None:
        await loaded.usage.unused()
        if loaded.handlers is not None:
            await loaded.handlers.close()
        await self._upstream.unload(name)

    async def list(self) -> Answer:
        """Answer `GET /models`: the status of every model by its name."""
        statuses = {name: await self._status(name) for name in self._loaded}
        return Answer(200, json.dumps(statuses).encode())

    async def describe(self, name: str) -> Answer:
        """Answer `GET /models/{name}`."""
        if not is_model_name(name):
            return error_answer(400, f"invalid model_name: {name!r}")
        if name not in self._loaded:
            return error_answer(404, f"Model {name} is not loaded yet.")
        return Answer(200, json.dumps({"model": await self._status(name)}).encode())

    async def _status(self, name: str) -> Any:
        reply = await self._upstream.call("GET", f"/v1/models/{name}")
        assert isinstance(reply.body, bytes)
        return json.loads(reply.body)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return the names of the loaded models."""
        return tuple(self._loaded)

    @contextmanager
    def hold(self, name: str) -> Iterator[LoadedModel | None]:
        """Keep a model loaded during the block; yields None if it is not loaded."""
        loaded = self._loaded.get(name)
        if loaded is None:
            yield None
            return
        with loaded.usage.hold():
            yield loaded

    async def close(self) -> None:
        """End the handlers of every model."""
        for loaded in self._loaded.values():
            if loaded.handlers is not None:
                await loaded.handlers.close()
        self._loaded.clear()


def _success(text: str) -> Answer:
    return Answer(200, json.dumps({"success": text}).encode())
