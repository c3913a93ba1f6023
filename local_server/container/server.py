"""The server of `cloudserve serve --as sagemaker`: one container on a port."""

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
from .app import ContainerApp, is_control
from .container import Container, Setup
from .release import release_of, serving_image_of
from .tree import container_tree
from .types import error_answer

_REQUEST_THREADS = 2 * (os.cpu_count() or 1)


class ContainerServer:
    """Serves a model tree with the HTTP interface of the container."""

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
        """Create a server that is not started; raises ModelError for invalid variables.

        `image` is an image's URI or version, which selects the behaviour of 2.19 or 2.20.
        `deny_ops` lists forbidden ops, as in `cloudserve serve`.
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
        """Return the server's URL without a path; "" before the start."""
        return f"http://{self._server.address}" if self._server else ""

    async def start(self) -> None:
        """Start the container, then listen; raises ModelError, UserError after cleaning up."""
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
        server = HttpServer(self._guarded(ContainerApp(container)), *self._address)
        await server.start()
        self._server = server
        self._closing.push_async_callback(server.stop, self._drain_seconds)

    def _guarded(self, app: ContainerApp) -> SameSite:
        """Protect `/models`, which loads code, from web pages; predictions stay open."""
        sites = Sites(checks_host=is_loopback(self._address[0]))
        return SameSite(app, sites, _refuse, lambda head: is_control(head.path))

    async def stop(self) -> None:
        """Stop listening, finish the requests in progress, stop the container."""
        await self._closing.aclose()
        self._server = None


def _refuse(_head: Head, status: int, message: str) -> Response:
    answer = error_answer(status, message)
    return Response(answer.status, answer.body, answer.content_type)
