"""REST servers over one set of models, real ones and some of a few lines."""

import asyncio
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cloudserve.local_server.batching import BatchingParameters, batched
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.models import Manager
from cloudserve.local_server.models.discovery import find_versions
from cloudserve.local_server.protocols.tfserving.rest import TfServingRest
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.transport.http.server import HttpServer

from cloudserve.errors import ModelError
from cloudserve.savedmodel.signature import Signature, TensorSpec
from tests.local_server.signature_defs import definitions

HALF = "/v1/models/tfs_half_plus_two_cpu"


def spec(alias, dtype):
    return TensorSpec(alias, f"{alias}:0", dtype, None)


class Same:
    """Gives back what it is given; each signature is named after its dtype."""

    def __init__(self):
        self.signatures = self.all_signatures = {
            dtype: Signature(dtype, "", (spec("x", dtype),), (spec("x", dtype),))
            for dtype in ("float16", "bfloat16", "float32", "float64", "int64", "string")
        }
        self.definitions = definitions(self.signatures)

    def run(self, signature, inputs, wanted=()):
        return dict(inputs)

    def close(self):
        pass


class Held(Same):
    """Answers once it may continue."""

    def __init__(self):
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def run(self, signature, inputs, wanted=()):
        self.entered.set()
        assert self.go_on.wait(60)
        return super().run(signature, inputs)


class DataPlane:
    """Models, and an event loop in a thread to serve them on."""

    def __init__(self, executor):
        self.held = Held()
        in_batches = batched(lambda _path: Same(), BatchingParameters())
        self._small = {
            Path("same"): Same(),
            Path("held"): self.held,
            Path("batched"): in_batches(Path()),
        }
        self.manager = Manager(self._load)
        self.inference = Inference(self.manager, executor)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        for path in self._small:
            self.do(self.manager.load(path.name, 1, path))
        self.manager.label({"same": {"stable": 1, "a/b": 1, "gone": 7}})

    def _load(self, path):
        return self._small.get(path) or load_model(path)

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def close(self):
        self.do(self.manager.unload_all())
        self.do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Client:
    """Speaks HTTP over one kept connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method, target, body=None, headers=None):
        """Return status, headers and body."""
        self.connection.request(method, target, body, headers or {})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def get(self, target):
        """Return status and the JSON answered."""
        status, _, body = self.ask("GET", target)
        return status, json.loads(body)

    def post(self, target, document, headers=None):
        """Send JSON, or bytes as they are; return status and the JSON answered."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        status, _, body = self.ask("POST", target, body, headers)
        return status, json.loads(body)


@pytest.fixture(scope="session")
def data_plane():
    with ThreadPoolExecutor(4) as executor:
        plane = DataPlane(executor)
        yield plane
        plane.close()


@pytest.fixture(scope="session")
def connect(data_plane):
    """Return a function that gives a client of a server with these options."""
    servers, clients = {}, []

    def open_client(**options):
        key = frozenset(options.items())
        if key not in servers:
            servers[key] = HttpServer(TfServingRest(data_plane.inference, **options))
            data_plane.do(servers[key].start())
        clients.append(Client(servers[key].port))
        return clients[-1]

    yield open_client
    for client in clients:
        client.connection.close()
    for server in servers.values():
        data_plane.do(server.stop())


@pytest.fixture(scope="session")
def real_models(data_plane, shared_models):
    """Load the highest version of each real model; some of them cannot be."""
    for base in sorted(path for path in shared_models.iterdir() if path.is_dir()):
        versions = find_versions(base)
        if versions:
            version = max(versions)
            with suppress(ModelError):
                data_plane.do(data_plane.manager.load(base.name, version, versions[version]))


@pytest.fixture
def client(connect, real_models):
    client = connect()
    yield client
    client.connection.close()
