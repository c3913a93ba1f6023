"""The TensorFlow Serving of a container, called through its REST paths."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from functools import partial

from cloudserve.savedmodel.signature import Signature

from ..batching.loader import batched
from ..batching.parameters import BatchingParameters
from ..inference import Inference
from ..inference.observation import Observer, unobserved
from ..models import Manager
from ..protocols.tfserving.grpc.services import TfServingGrpc
from ..protocols.tfserving.rest import TfServingRest
from ..runtime.loading.serving_image import ServingImage
from ..runtime.options import SessionOptions
from ..runtime.session import load_model
from ..status import StatusError
from ..tasks import to_completion
from ..transport.grpc.server import GrpcServer
from ..transport.http.server import HttpServer
from ..transport.types import Head, Request, Response
from ..warmup import warmed
from .discovery import Bundle

_STOP_SECONDS = 1.0
_JSON_HEADERS = {"content-type": "application/json", "accept": "application/json"}


class Upstream:
    """A model server in this process; it opens ports only for `inference.py`."""

    def __init__(
        self,
        executor: Executor,
        batching: BatchingParameters | None = None,
        image: ServingImage | None = None,
        options: SessionOptions | None = None,
        observer: Observer = unobserved,
    ) -> None:
        load = partial(load_model, options=options, image=image)
        self._manager = Manager(warmed(batched(load, batching)))
        self.inference = Inference(self._manager, executor, observer=observer)
        self._rest = TfServingRest(self.inference)
        self._ports = AsyncExitStack()
        self._versions: dict[str, list[int]] = {}
        self.rest_port = 0
        self.grpc_port = 0

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the loaded models, in the order they were loaded."""
        return tuple(self._versions)

    def signatures(self, model: str) -> Mapping[str, Signature]:
        """Return the signatures of a model's highest version; {} if it is not loaded."""
        try:
            with self._manager.handle(model) as servable:
                return servable.model.signatures
        except StatusError:
            return {}

    async def load(self, bundles: Iterable[Bundle]) -> None:
        """Load all versions or none; raises ModelError with the reason of the first failure.

        A cancellation takes effect only after the current load, which reads the model's files.
        """
        done: list[Bundle] = []
        try:
            for bundle in bundles:
                await to_completion(self._load_one(bundle))
                done.append(bundle)
        except BaseException:
            for bundle in done:
                await self._manager.unload(bundle.model, bundle.version)
            raise
        for bundle in done:
            self._versions.setdefault(bundle.model, []).append(bundle.version)

    async def _load_one(self, bundle: Bundle) -> None:
        await self._manager.load(bundle.model, bundle.version, bundle.path)

    async def unload(self, model: str) -> None:
        """Unload every version of a model once no request uses it."""
        for version in self._versions.pop(model):
            await self._manager.unload(model, version)

    async def call(self, method: str, path: str, body: bytes = b"") -> Response:
        """Answer as TensorFlow Serving's REST port does."""
        answer = self._rest.handle(Request(Head(method, path, headers=_JSON_HEADERS), body))
        return await answer if inspect.isawaitable(answer) else answer

    async def open_ports(self) -> None:
        """Serve REST and gRPC on loopback ports, for `inference.py`."""
        rest = HttpServer(self._rest)
        await rest.start()
        self._ports.push_async_callback(rest.stop, _STOP_SECONDS)
        self.rest_port = rest.port
        grpc = GrpcServer(TfServingGrpc(self.inference), "127.0.0.1", 0)
        await grpc.start()
        self._ports.push_async_callback(grpc.stop, _STOP_SECONDS)
        self.grpc_port = grpc.port

    async def close(self) -> None:
        """Close the ports and unload the models after the requests in progress."""
        await self._ports.aclose()
        self._versions.clear()
        await self._manager.unload_all()
