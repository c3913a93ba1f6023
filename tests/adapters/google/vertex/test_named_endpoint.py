"""An endpoint by its name: read once, and asked where it answers."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi
from cloudserve.adapters.google.vertex.endpoint import VertexEndpoint, open_endpoint

from cloudserve.errors import RemoteError, UserError

NAME = "projects/p/locations/europe-west4/endpoints/17"


class Api(VertexApi):
    """Vertex AI with one endpoint; predictions are sent over HTTP."""

    def __init__(self, record):
        super().__init__("p", "europe-west4", "http://127.0.0.1:1", Access({}))
        self.record = record
        self.readings = 0

    def endpoint(self, endpoint):
        self.readings += 1
        if isinstance(self.record, Exception):
            raise self.record
        return self.record


@pytest.fixture
def network():
    """Give the URL of a container inside a network, and the headers that it received."""
    received = []

    class Container(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(dict(self.headers))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps({"predictions": json.loads(body)["instances"]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Container) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/models/9:predict", received
        server.shutdown()
        thread.join()


def endpoint(record):
    return VertexEndpoint(NAME, "17", Api(record), None)


def test_a_peered_endpoint_is_asked_inside_its_network_without_a_token(network):
    url, received = network
    deployed = [{"id": "9", "privateEndpoints": {"predictHttpUri": url}}]
    peered = endpoint({"network": "projects/1/global/networks/n", "deployedModels": deployed})
    assert peered.request_limit == 0
    answer = peered.ask(b'{"instances": [1]}', "", 5.0)
    assert json.loads(answer.body) == {"predictions": [1]}
    assert peered.destination().endpoint == url
    assert "Authorization" not in received[0]
    assert peered._api.readings == 1


def test_a_peered_endpoint_without_a_model_is_refused():
    with pytest.raises(UserError, match="has no deployed model with an address"):
        endpoint({"network": "projects/1/global/networks/n"}).ask(b"{}", "", 1.0)


def test_an_endpoint_of_private_service_connect_is_refused():
    record = {"privateServiceConnectConfig": {"enablePrivateServiceConnect": True}}
    with pytest.raises(UserError, match="answers through Private Service Connect") as caught:
        endpoint(record).ask(b"{}", "", 1.0)
    assert "endpoint_override" in caught.value.hint


def test_without_permission_to_read_it_the_shared_host_is_asked():
    denied = endpoint(RemoteError("denied", status=403))
    assert denied.request_limit == 1_572_864
    with pytest.raises(RemoteError, match="predict"):
        denied.ask(b"{}", "", 1.0)
    with pytest.raises(RemoteError, match="out of order"):
        endpoint(RemoteError("out of order", status=500)).ask(b"{}", "", 1.0)


def test_the_own_host_is_known_from_its_name():
    dns = "17.europe-west4-123.prediction.vertexai.goog"
    parts = {"dns": dns, "endpoint": "17", "region": "europe-west4", "project": "123"}
    opened = open_endpoint(dns, parts, {})
    assert opened.request_limit == 10_485_760
    url, headers = opened._api.prediction("17", dns)
    assert url == f"https://{dns}/v1/projects/123/locations/europe-west4/endpoints/17:rawPredict"
    assert headers == {}
