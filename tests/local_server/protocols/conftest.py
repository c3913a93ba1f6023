"""One model server over all real models, shared by the tests of its faces."""

import asyncio
import http.client
import json
import threading

import pytest


class Background:
    """A server on an event loop in a thread of its own."""

    def __init__(self, server):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.server = server

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def close(self):
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
def model_server(shared_models):
    from cloudserve.local_server.serve_options import serve_options
    from cloudserve.local_server.server import ModelServer

    background = Background(ModelServer(serve_options(shared_models, grpc_port=0)))
    background.do(background.server.start())
    yield background.server
    background.do(background.server.stop())
    background.close()


@pytest.fixture
def client(model_server):
    client = Client(model_server.port)
    yield client
    client.connection.close()
