"""The model server: what `cloudserve serve` runs. Everything is put together here and nowhere else.

The port opens when every model has loaded or failed, as in TensorFlow Serving; unlike there, one
model that does not load leaves the others served.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloudserve.errors import ModelError, UserError
from cloudserve.savedmodel.versions import is_saved_model, list_versions, resolve

from .inference import Inference
from .models import Loader, Manager
from .protocols.tfserving_grpc import TfServingGrpc
from .protocols.tfserving_rest import TfServingRest
from .runtime.session import load_model
from .transport.grpc_server import GrpcServer
from .transport.server import HttpServer

_logger = logging.getLogger(__name__)

# Each runs a model on one core; the others parse and encode in the meantime.
_THREADS = 2 * (os.cpu_count() or 1)


class ModelServer:
    """Serves the highest version of each model below a path as TensorFlow Serving does.

    Its REST API is on `port`, its gRPC API on `grpc_port` unless that is None.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        grpc_port: int | None = None,
        load: Loader = load_model,
    ) -> None:
        self._paths = find_models(path, name)
        self._manager = Manager(load)
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="predict")
        inference = Inference(self._manager, self._executor)
        self._http = HttpServer(TfServingRest(inference), host, port)
        self.grpc = (
            None if grpc_port is None else GrpcServer(TfServingGrpc(inference), host, grpc_port)
        )
        """The gRPC server, if one is wanted."""
        self.models: tuple[str, ...] = ()
        """The names of the models that are served, sorted; empty before the start."""

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return self._http.port

    @property
    def address(self) -> str:
        """Return the URL to send requests to, without a path."""
        return f"http://{self._http.address}"

    async def start(self) -> None:
        """Load the models, then listen.

        Raises ModelError when no model loads, UserError when the address cannot be had; nothing is
        left behind then.
        """
        try:
            self.models = await self._load_all()
            if self.grpc is not None:
                await self.grpc.start()
            await self._http.start()
        except BaseException:
            if self.grpc is not None:
                await self.grpc.stop(0.0)
            await self._release()
            raise

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Stop listening, let requests in flight end, and unload the models."""
        stopping = [self._http.stop(drain_seconds)]
        if self.grpc is not None:
            stopping.append(self.grpc.stop(drain_seconds))
        await asyncio.gather(*stopping)
        await self._release()

    async def _load_all(self) -> tuple[str, ...]:
        failures: dict[str, ModelError] = {}
        for name, path in self._paths.items():
            try:
                version, directory = resolve(path)
                await self._manager.load(name, version, directory)
            except ModelError as error:
                failures[name] = error
        if len(failures) == len(self._paths):
            raise next(iter(failures.values()))
        for name, failure in failures.items():
            _logger.warning("model %s is not served: %s", name, failure.message)
        return self._manager.available()

    async def _release(self) -> None:
        await self._manager.unload_all()
        self._executor.shutdown(wait=False)
        self.models = ()


def find_models(path: Path, name: str | None = None) -> Mapping[str, Path]:
    """Return the models below a path by name, sorted.

    The path is a SavedModel directory, a base path of NUMBER/ ones, or a folder of base paths. A
    single model is called `name`, else after its directory. Raises ModelError when there is none,
    UserError for a name given to several models.
    """
    path = path.resolve()
    if _is_model(path):
        return {name or _own_name(path): path}
    entries = sorted(path.iterdir()) if path.is_dir() else []
    found = {entry.name: entry for entry in entries if _is_model(entry)}
    if not found:
        resolve(path)  # raises, saying what is there instead
    if name is None:
        return found
    if len(found) > 1:
        raise UserError(
            f"one name is given and {path} holds {len(found)} models",
            hint=f"leave the name out, or give one of {', '.join(found)}",
        )
    return dict(zip([name], found.values(), strict=True))


def _is_model(path: Path) -> bool:
    return is_saved_model(path) or bool(list_versions(path))


def _own_name(path: Path) -> str:
    """Return a model's name: its directory's, or for a version's directory the one above."""
    return path.parent.name if path.name.isdecimal() else path.name
