"""The server of `cloudserve serve --as sagemaker`: one container on a port."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.local.servers import ContainerCommand
from cloudserve.savedmodel.versions import is_saved_model

from ..inference.observation import unobserved
from ..monitoring.recording.recorder import Recorder
from ..protocols.middleware.foreign import SameSite, Sites, is_loopback
from ..runtime.loading.denied_ops import read_denied_ops
from ..runtime.options import SessionOptions
from ..tasks import Ending
from ..transport.http.server import HttpServer, check_address
from ..transport.types import Head, Response
from .app import ContainerApp, is_control
from .container import Container, Setup
from .discovery import Bundle, bundles_below
from .release import release_of, serving_image_of
from .types import error_answer

_RECORD_SECONDS = 5.0
_REQUEST_THREADS = 2 * (os.cpu_count() or 1)


class ContainerServer:
    """Serves a model tree with the HTTP interface of the container."""

    def __init__(self, tree: Path, command: ContainerCommand) -> None:
        """Create a server that is not started.

        Raises ModelError for invalid variables, UserError if its requests cannot be recorded.
        """
        self._threads = ThreadPoolExecutor(_REQUEST_THREADS, "request")
        self._closing = AsyncExitStack()
        self._tree = tree.resolve()
        self._command = command
        self._session = SessionOptions(denied_ops=read_denied_ops(command.deny_ops))
        self._server: HttpServer | None = None
        self._recorder = Recorder(command.recording) if command.recording else None
        self._ending = Ending()

    @property
    def address(self) -> str:
        """Return the server's URL without a path; "" before the start."""
        return f"http://{self._server.address}" if self._server else ""

    @property
    def is_stuck(self) -> bool:
        """Return whether a run continued after `stop`: its thread ends when it does."""
        return self._ending.is_stuck

    async def start(self) -> None:
        """Start the container, then listen; raises ModelError, UserError after cleaning up."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        command, image = self._command, self._command.image
        check_address(command.host, command.port)
        scratch = Path(tempfile.mkdtemp(prefix="cloudserve-"))
        self._closing.callback(shutil.rmtree, scratch, ignore_errors=True)
        self._closing.callback(self._threads.shutdown, wait=False)
        if self._recorder:
            self._closing.push_async_callback(
                asyncio.to_thread, self._recorder.close, _RECORD_SECONDS
            )
        setup = Setup(
            await asyncio.to_thread(container_tree, self._tree, scratch),
            scratch,
            dict(command.environment),
            release=release_of(f":{image}" if image[:1].isdigit() else image),
            image=serving_image_of(image),
            install_requirements=command.install_requirements,
            session=self._session,
            observer=self._recorder.observe if self._recorder else unobserved,
        )
        container = Container(setup, self._threads)
        await container.start()
        self._closing.push_async_callback(self._ending.end, container.stop)
        server = HttpServer(self._guarded(ContainerApp(container)), command.host, command.port)
        await server.start()
        self._server = server
        self._closing.push_async_callback(server.stop, command.drain_seconds)

    def _guarded(self, app: ContainerApp) -> SameSite:
        """Protect `/models`, which loads code, from web pages; predictions stay open."""
        sites = Sites(checks_host=is_loopback(self._command.host))
        return SameSite(app, sites, _refuse, lambda head: is_control(head.path))

    async def stop(self) -> None:
        """Stop listening, finish the requests in progress, stop the container.

        A run that outlasts its aborted request is not waited for: see `is_stuck`.
        """
        await self._closing.aclose()
        self._server = None


def _refuse(_head: Head, status: int, message: str) -> Response:
    answer = error_answer(status, message)
    return Response(answer.status, answer.body, answer.content_type)


_CODE = "code"
_ONE = 1


def container_tree(path: Path, scratch: Path) -> Path:
    """Return the tree to serve: `path` itself, or a tree of links below `scratch`.

    `path` is a model tree, a folder of NUMBER/ directories, or a SavedModel's directory. The code
    of the highest version is used, which answers requests without a version. Raises UserError if
    several models have code.
    """
    if is_saved_model(path):
        return _link_tree((_single_bundle(path),), scratch / "tree")
    if (path / _CODE).is_dir():
        return path
    bundles = bundles_below(path, path.name)
    latest = {bundle.model: bundle for bundle in bundles}
    coded_models = [model for model, bundle in latest.items() if (bundle.path / _CODE).is_dir()]
    if len(coded_models) > _ONE:
        raise UserError(
            f"{' and '.join(coded_models)} each have a code/, and a container runs one",
            where=str(path),
            hint="give the directory of one of them",
        )
    return _link_tree(bundles, scratch / "tree", latest[coded_models[0]]) if coded_models else path


def _single_bundle(path: Path) -> Bundle:
    if path.name.isdecimal():
        return Bundle(path.parent.name, int(path.name), path)
    return Bundle(path.name, _ONE, path)


def _link_tree(bundles: Sequence[Bundle], tree: Path, code_bundle: Bundle | None = None) -> Path:
    for bundle in bundles:
        folder = tree / bundle.model / str(bundle.version)
        folder.mkdir(parents=True)
        for entry in bundle.path.iterdir():
            if entry.name != _CODE:
                folder.joinpath(entry.name).symlink_to(entry)
    code = (code_bundle or bundles[-1]).path / _CODE
    if code.is_dir():
        tree.joinpath(_CODE).symlink_to(code)
    return tree
