"""`cloudserve serve --as sagemaker`: one container on a port, as SageMaker would run it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

from ..protocols.middleware.foreign import SameSite, Sites, is_loopback
from ..runtime.denied_ops import read_denied_ops
from ..runtime.options import SessionOptions
from ..transport.http.server import HttpServer
from ..transport.types import Head, Response
from .application import ContainerApplication, is_control
from .container import Container, Setup
from .nouns import error_answer
from .release import release_of, serving_image_of
from .tree import container_tree

_REQUEST_THREADS = 2 * (os.cpu_count() or 1)


class ContainerServer:
    """Serves a model tree, or model.tar.gz's content, over the container's contract."""

    def __init__(  # noqa: PLR0913  a keyword for each option of the command
        self,
        tree: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        image: str = "",
        environment: Mapping[str, str] | None = None,
        install_requirements: bool = False,
        deny_ops: str = "none",
        drain_seconds: float = 10.0,
    ) -> None:
        """Take what to serve; raises ModelError for variables the image does not start with.

        `image` is an image's URI or a version of it: what tells 2.19's behaviour from 2.20's.
        `deny_ops` are ops that no model may have, as `cloudserve serve` takes them.
        """
        self._threads = ThreadPoolExecutor(_REQUEST_THREADS, "request")
        self._closing = AsyncExitStack()
        self._options = (tree.resolve(), image, dict(environment or {}), install_requirements)
        self._session = SessionOptions(denied_ops=read_denied_ops(deny_ops))
        self._address = (host, port)
        self._drain_seconds = drain_seconds
        self._server: HttpServer | None = None

    @property
    def address(self) -> str:
        """Return the URL to send requests to, without a path; "" before the start."""
        return f"http://{self._server.address}" if self._server else ""

    async def start(self) -> None:
        """Start the container, then listen. Raises ModelError, UserError; nothing is left then."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        tree, image, environment, install = self._options
        scratch = Path(tempfile.mkdtemp(prefix="cloudserve-"))
        self._closing.callback(shutil.rmtree, scratch, ignore_errors=True)
        self._closing.callback(self._threads.shutdown)
        setup = Setup(
            await asyncio.to_thread(container_tree, tree, scratch),
            scratch,
            environment,
            release=release_of(f":{image}" if image[:1].isdigit() else image),
            image=serving_image_of(image),
            install_requirements=install,
            session=self._session,
        )
        container = Container(setup, self._threads)
        await container.start()
        self._closing.push_async_callback(container.stop)
        server = HttpServer(self._guarded(ContainerApplication(container)), *self._address)
        await server.start()
        self._server = server
        self._closing.push_async_callback(server.stop, self._drain_seconds)

    def _guarded(self, app: ContainerApplication) -> SameSite:
        """Keep web pages from `/models`, which loads code; predictions are anybody's."""
        sites = Sites(checks_host=is_loopback(self._address[0]))
        return SameSite(app, sites, _refuse, lambda head: is_control(head.path))

    async def stop(self) -> None:
        """Stop listening, let requests in flight end, stop the container."""
        await self._closing.aclose()
        self._server = None


def _refuse(_head: Head, status: int, message: str) -> Response:
    answer = error_answer(status, message)
    return Response(answer.status, answer.body, answer.content_type)
