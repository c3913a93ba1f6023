"""Servers to measure: this project's, and one whose every answer a test decides."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager

import pytest

from cloudserve.bench.child import child_server

METADATA = {
    "model_spec": {"name": "m", "signature_name": "", "version": "1"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {
                    "inputs": {
                        "x": {
                            "dtype": "DT_FLOAT",
                            "tensor_shape": {"dim": [{"size": "-1"}], "unknown_rank": False},
                            "name": "x:0",
                        }
                    },
                    "method_name": "tensorflow/serving/predict",
                }
            }
        }
    },
}


def answer(status=200, document=None, headers=""):
    """Return a response's bytes."""
    body = json.dumps(document if document is not None else {"predictions": [1.0]}).encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class Scripted(socketserver.ThreadingTCPServer):
    """Answers predictions with `script(number)`, a number for each from 0, and the metadata.

    None closes the connection without an answer.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/models/m"
        self.bodies = []
        self._lock = threading.Lock()

    def respond(self, line, body):
        if line.startswith("GET"):
            return answer(document=METADATA)
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
        return self.script(number)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline().decode():
            length = 0
            while (header := self.rfile.readline()).strip():
                name, _, value = header.decode().partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            response = self.server.respond(line, self.rfile.read(length))
            if response is None:
                return
            self.wfile.write(response)


@contextmanager
def serving(script):
    with Scripted(script) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def scripted():
    """Give the context manager that runs a server with a script."""
    return serving


@pytest.fixture(scope="session")
def half(shared_models):
    """Give this project's server with x/2+2."""
    with child_server(shared_models / "tfs_half_plus_two_cpu") as server:
        yield server
