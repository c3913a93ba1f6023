"""A server core over folders, with what it is made of."""

import asyncio
import threading

import pytest
from cloudserve.local_server.config import ModelConfig, ModelServerConfig
from cloudserve.local_server.models import FileSystemSource, Lifecycle, Manager, ServerCore
from cloudserve.local_server.models.discovery import find_versions
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code


class Model:
    """A model of no signatures."""

    def __init__(self):
        self.signatures = self.all_signatures = {}
        self.is_closed = False

    def run(self, signature, inputs, wanted=()):
        raise NotImplementedError

    def close(self):
        self.is_closed = True


class Loader:
    """Loads what is not broken, and remembers its attempts; `held` versions wait in the thread.

    Versions in `broken` fail whatever their files are.
    """

    def __init__(self):
        self.attempts, self.paths, self.loaded = [], [], []
        self.broken = set()
        self.held = {}
        self.is_loading = threading.Event()

    def __call__(self, path):
        self.attempts.append(path.name)
        self.paths.append(path)
        if path.name in self.held:
            self.is_loading.set()
            assert self.held[path.name].wait(20)
        if path.name in self.broken or not (path / "saved_model.pb").exists():
            raise LoadError(Code.NOT_FOUND, f"no model in {path.name}")
        self.loaded.append(Model())
        return self.loaded[-1]


class Pause:
    """Stands for `asyncio.sleep`: notes the seconds and returns at once."""

    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds):
        self.seconds.append(seconds)


class Server:
    """A core with what it is made of."""

    def __init__(self, retry=None, *, pause=None, independent=False, labels_may_wait=False):
        self.load = Loader()
        self.pause = pause or Pause()
        self.manager = Manager(self.load)
        self.lifecycle = Lifecycle(self.manager, retry, self.pause)
        self.source = FileSystemSource(
            self.lifecycle.aspire, find_versions, independent=independent
        )
        self.core = ServerCore(
            self.manager, self.lifecycle, self.source, labels_may_wait=labels_may_wait
        )

    async def serve(self, *models):
        self.core.apply(ModelServerConfig(models))
        await self.core.poll()
        await self.core.attempted()

    async def available(self, name="m", *versions):
        """Wait until these are a model's available versions, and no other."""
        await self.lifecycle.changed.until(lambda: self.now(name) == set(versions))

    async def poll_until(self, holds):
        while not holds():
            await self.core.poll()

    def model(self, name="m"):
        with self.manager.handle(name) as servable:
            return servable.model

    def now(self, name="m"):
        states = self.manager.states(name)
        return {state.version for state in states if state.state.name == "AVAILABLE"}


@pytest.fixture
def base(tmp_path):
    """Return a function that makes a version below a model's base path."""

    def make(version, name="m", *, broken=False):
        path = tmp_path / name / str(version)
        path.mkdir(parents=True, exist_ok=True)
        if not broken:
            (path / "saved_model.pb").touch()
        return path

    return make


@pytest.fixture
def m(tmp_path):
    """Return a configuration of the model m."""

    def make(name="m", **more):
        return ModelConfig(name, str(tmp_path / name), **more)

    return make


def run(work):
    asyncio.run(asyncio.wait_for(work, 30))
