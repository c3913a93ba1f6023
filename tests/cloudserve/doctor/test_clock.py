"""The clock, compared with the time that an endpoint tells."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cloudserve.doctor.result import Status
from cloudserve.doctor.target import _clock


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_error(404)

    def log_message(self, *_):
        """Write nothing."""


@pytest.fixture
def endpoint():
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("skew", "status", "found"),
    [
        (0, Status.OK, "this clock is"),
        (600, Status.FAILED, "ahead"),
        (-600, Status.FAILED, "behind"),
    ],
)
def test_a_clock_that_is_minutes_off_is_a_failure(endpoint, skew, status, found):
    result = _clock(endpoint, lambda: time.time() + skew)
    assert result.status is status
    assert found in result.text


def test_a_silent_endpoint_is_skipped():
    assert _clock("http://127.0.0.1:9").status is Status.SKIPPED
    assert _clock("").status is Status.SKIPPED


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nDate: today\r\n\r\n"]
)
def test_an_endpoint_that_tells_no_time_skips_the_check(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_once, args=(server, answer))
        thread.start()
        result = _clock(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert result.status is Status.SKIPPED


def answer_once(server, answer):
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)
