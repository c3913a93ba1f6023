"""The container's health check, against a real socket."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cloudserve.images.health import health_url


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/v1/endpoints/7" else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def port():
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("route", "code"), [("/v1/endpoints/7", 0), ("/", 1)])
def test_it_asks_the_route_that_vertex_ai_names(port, route, code):
    values = {"AIP_HTTP_PORT": str(port), "AIP_HEALTH_ROUTE": route}
    environment = os.environ | values | {"http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "cloudserve.images.health"]
    assert subprocess.run(command, env=environment, check=False).returncode == code


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://127.0.0.1:8080/health"),
        ({"AIP_HTTP_PORT": "9000"}, "http://127.0.0.1:9000/health"),
        ({"HEALTH_URL": "http://127.0.0.1:8501/v1/models/m"}, "http://127.0.0.1:8501/v1/models/m"),
    ],
)
def test_the_variables_choose_the_url(variables, url):
    assert health_url(variables) == url
