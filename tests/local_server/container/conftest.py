"""Containers of real models, each on its own event loop."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloudserve.local_server.container import Container, Invocation, Release, Setup


class RunningContainer:
    """A container and its event loop."""

    def __init__(self, tree: Path, scratch: Path, **options) -> None:
        self._loop = asyncio.new_event_loop()
        self._threads = ThreadPoolExecutor(2)
        self.container = Container(Setup(tree, scratch, **options), self._threads)
        try:
            self.run(self.container.start())
        except BaseException:
            self._end()
            raise

    def run(self, coroutine):
        return self._loop.run_until_complete(asyncio.wait_for(coroutine, 60))

    def invoke(self, body: bytes, kind: str | None = "application/json", **more):
        return self.run(self.container.invoke(Invocation(body, kind, **more)))

    def _end(self) -> None:
        self._threads.shutdown()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def stop(self) -> None:
        self.run(self.container.stop())
        self._end()


@pytest.fixture(scope="session")
def half_plus_three(shared_models, tmp_path_factory) -> Path:
    """Provide a model tree that holds versions 123 and 124 of `half_plus_three`."""
    tree = tmp_path_factory.mktemp("trees") / "plain"
    shutil.copytree(shared_models / "sm_half_plus_three", tree / "half_plus_three")
    return tree


@pytest.fixture
def with_code(half_plus_three, tmp_path):
    """Return a function that makes a model tree with files in its `code` folder."""

    def make(files: dict[str, str]) -> Path:
        tree = tmp_path / "tree"
        shutil.copytree(half_plus_three, tree)
        for name, text in files.items():
            (tree / "code" / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / "code" / name).write_text(text)
        return tree

    return make


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a container on a tree; all are stopped at the end."""
    started: list[RunningContainer] = []

    def run(tree: Path, **options) -> RunningContainer:
        started.append(RunningContainer(tree, tmp_path / "scratch", **options))
        return started[-1]

    yield run
    for running in started:
        running.stop()


@pytest.fixture(scope="module", params=Release, ids=lambda release: release.value)
def both(request, half_plus_three, tmp_path_factory):
    """Provide a container of each release on the plain tree."""
    scratch = tmp_path_factory.mktemp("scratch")
    running = RunningContainer(half_plus_three, scratch, release=request.param)
    running.release = request.param
    yield running
    running.stop()
