"""Servers that are missing, slow, overloaded, or end in the middle: what is sent again."""

import asyncio
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

import cloudserve
from cloudserve import AsyncClient, Client, Retry
from cloudserve.client.retry import not_connected
from cloudserve.errors import LostAnswerError, RemoteError, UnreachableError, UserError

METADATA = {
    "model_spec": {"name": "m", "version": "1"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {
                    "inputs": {
                        "x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}]}}
                    },
                    "outputs": {
                        "y": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}]}}
                    },
                    "method_name": "tensorflow/serving/predict",
                }
            }
        }
    },
}
QUICK = Retry(pause=0.001)


def answer(status, document, headers=""):
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d x\r\n%sContent-Length: %d\r\n\r\n%s" % (
        status,
        headers.encode(),
        len(body),
        body,
    )


def read_request(connection):
    """Return a request's head, or b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(v) for n, _, v in lines(head) if n.lower() == b"content-length"), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head


def lines(head):
    return [line.partition(b":") for line in head.split(b"\r\n")]


class Script:
    """Answers metadata, and predictions by a list of bytes; None ends the connection."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.predictions = 0
        self.connections = 0

    def __call__(self, connection, number):
        self.connections += 1
        while head := read_request(connection):
            if b"/metadata" in head:
                connection.sendall(answer(200, METADATA))
                continue
            self.predictions += 1
            reply = self.answers.pop(0) if self.answers else answer(200, {"predictions": [1.5]})
            if reply is None:
                return
            connection.sendall(reply)


OVERLOADED = answer(503, {"error": "busy"})


class Ask:
    """One prediction by either client."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, address, **options):
        if self.kind == "threads":
            with Client(address, **options) as client:
                return client.predict([1.0])

        async def ask():
            async with AsyncClient(address, **options) as client:
                return await client.predict([1.0])

        return asyncio.run(ask())


@pytest.fixture(params=["threads", "event loop"])
def ask(request):
    return Ask(request.param)


def url(authority):
    return f"http://{authority}/v1/models/m"


def test_a_refusal_for_now_is_sent_again(ask, misbehaving):
    script = Script(OVERLOADED, answer(429, {"error": "busy"}))
    reply = ask(url(misbehaving(script)), retry=QUICK)
    assert (reply.array.tolist(), reply.attempts, script.predictions) == ([1.5], 3, 3)
    assert script.connections == 1


def test_the_last_refusal_is_the_error(ask, misbehaving):
    script = Script(OVERLOADED, OVERLOADED, OVERLOADED)
    with pytest.raises(RemoteError, match="HTTP 503: busy") as caught:
        ask(url(misbehaving(script)), retry=QUICK)
    assert (caught.value.status, script.predictions) == (503, 3)


def test_retry_after_beyond_the_deadline_is_not_awaited(ask, misbehaving):
    script = Script(answer(503, {"error": "busy"}, "Retry-After: 60\r\n"))
    with pytest.raises(RemoteError, match="busy") as caught:
        ask(url(misbehaving(script)), timeout=5)
    assert (caught.value.retry_after, script.predictions) == (60.0, 1)


@pytest.mark.parametrize("status", [400, 500, 502, 504])
def test_other_refusals_are_not_sent_again(ask, misbehaving, status):
    script = Script(answer(status, {"error": "no"}))
    with pytest.raises(RemoteError, match=f"HTTP {status}: no"):
        ask(url(misbehaving(script)), retry=QUICK)
    assert script.predictions == 1


def test_a_server_that_dies_mid_request_is_not_asked_again(ask, misbehaving):
    script = Script(None)
    with pytest.raises(LostAnswerError, match="the connection ended before the answer"):
        ask(url(misbehaving(script)), retry=QUICK)
    assert script.predictions == 1


def test_half_an_answer_is_a_lost_answer(ask, misbehaving):
    def half(connection, number):
        read_request(connection)
        connection.sendall(answer(200, METADATA))
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    with pytest.raises(LostAnswerError):
        ask(url(misbehaving(half)), retry=QUICK)


def test_a_lost_answer_is_asked_for_again_if_the_model_has_no_state(ask, misbehaving):
    script = Script(None)
    reply = ask(url(misbehaving(script)), retry=Retry(lost=True, pause=0.001))
    assert (reply.array.tolist(), reply.attempts) == ([1.5], 2)


def test_an_unreachable_server_is_retried_as_often_as_allowed(ask, nobody):
    with pytest.raises(UnreachableError, match="no server answers") as caught:
        ask(url(nobody), retry=QUICK)
    assert not isinstance(caught.value, LostAnswerError)


def test_a_slow_server_ends_at_the_deadline(ask, misbehaving):
    done = threading.Event()

    def slow(connection, number):
        read_request(connection)
        done.wait(20)

    address = url(misbehaving(slow))
    try:
        with pytest.raises(LostAnswerError, match=r"no answer within 0\.\d+ s"):
            ask(address, timeout=0.2)
    finally:
        done.set()


def test_an_answer_in_drops_ends_at_the_deadline(misbehaving):
    stop = threading.Event()

    def drip(connection, number):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.05):
            try:
                connection.sendall(b" ")
            except OSError:
                return

    address = url(misbehaving(drip))
    try:
        with Client(address, timeout=0.3) as client, pytest.raises(RemoteError, match="no answer"):
            client.predict([1.0])
    finally:
        stop.set()


def test_a_connection_that_was_closed_while_idle_is_replaced(misbehaving):
    closed = threading.Semaphore(0)

    def one_answer(connection, number):
        while b"/metadata" in read_request(connection):
            connection.sendall(answer(200, METADATA))
        connection.sendall(answer(200, {"predictions": [1.5]}))
        connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    with Client(url(misbehaving(one_answer)), retry=Retry(attempts=1)) as client:
        for _ in range(3):
            assert client.predict([1.0]).array.tolist() == [1.5]
            assert closed.acquire(timeout=60)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"predictions": 1}', b'{"outputs": "a"}'])
def test_an_answer_of_another_form_is_the_servers_failure(ask, misbehaving, body):
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with pytest.raises(RemoteError):
        ask(url(misbehaving(Script(reply))), retry=QUICK)


def test_a_version_that_was_replaced_is_read_again(misbehaving):
    script = Script(answer(404, {"error": "Servable not found for request: Specific(m, 1)"}))
    with Client(url(misbehaving(script))) as client:
        assert client.predict([1.0]).array.tolist() == [1.5]
    assert script.predictions == 2


def test_a_token_is_sent_and_never_shown(misbehaving):
    heads = []

    def keep(connection, number):
        while head := read_request(connection):
            heads.append(head)
            connection.sendall(answer(401, {"error": "no"}))

    access = cloudserve.Access(token=lambda: "secret-7")
    with (
        Client(url(misbehaving(keep)), access=access) as client,
        pytest.raises(RemoteError) as caught,
    ):
        client.predict([1.0])
    assert b"Authorization: Bearer secret-7" in heads[0]
    assert "secret" not in f"{caught.value} {caught.value.hint} {access!r}"


# gRPC


def test_no_grpc_server_is_unreachable(ask, nobody):
    with pytest.raises(UnreachableError, match="no gRPC server answers"):
        ask(f"grpc://{nobody}/m", retry=Retry(attempts=1))


@pytest.fixture
def refusing():
    """Give what starts a gRPC server that refuses with UNAVAILABLE and a text; counts calls."""
    servers, calls = [], []

    def start(details):
        def refuse(request, context):
            calls.append(request)
            context.abort(grpc.StatusCode.UNAVAILABLE, details)

        class Handler(grpc.GenericRpcHandler):
            def service(self, _details):
                return grpc.unary_unary_rpc_method_handler(refuse)

        server = grpc.server(ThreadPoolExecutor(1), handlers=(Handler(),))
        servers.append(server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return f"grpc://127.0.0.1:{port}/m", calls

    yield start
    for server in servers:
        server.stop(None).wait()


def test_a_full_queue_over_grpc_is_asked_again(ask, refusing):
    address, calls = refusing("The batch scheduling queue to which this task was submitted is full")
    with pytest.raises(RemoteError, match="failed with UNAVAILABLE: The batch") as caught:
        ask(address, retry=QUICK)
    assert not isinstance(caught.value, UnreachableError)
    assert len(calls) == 3


def test_another_unavailable_over_grpc_may_be_a_lost_answer(ask, refusing):
    address, calls = refusing("Socket closed")
    with pytest.raises(LostAnswerError, match=r"no answer \(UNAVAILABLE\): Socket closed"):
        ask(address, retry=QUICK)
    assert len(calls) == 1


def test_a_silent_grpc_server_ends_at_the_deadline(ask, misbehaving):
    done = threading.Event()

    def silent(connection, number):
        done.wait(20)

    address = f"grpc://{misbehaving(silent)}/m"
    try:
        with pytest.raises(RemoteError):
            ask(address, timeout=0.3)
    finally:
        done.set()


def test_a_unix_socket_is_an_address(echo):
    with Client(echo.socket, "echo") as client:
        assert client.predict([1.0], signature="float32").version == "2"


def test_requests_of_an_event_loop_take_no_threads(echo):
    async def many(address):
        async with AsyncClient(address) as client:
            before = threading.active_count()
            requests = (client.predict([float(n)], signature="float32") for n in range(20))
            answers = await asyncio.gather(*requests)
            return [a.array[0] for a in answers], threading.active_count() - before

    for address in (echo.rest, echo.grpc):
        values, threads = asyncio.run(many(address))
        np.testing.assert_array_equal(values, np.arange(20))
        assert threads < 5


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_without_time_is_refused(echo, seconds):
    with Client(echo.rest) as client, pytest.raises(UserError, match="leaves no time"):
        client.predict([1.0], timeout=seconds)


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("certificate verify failed: Missing Authority Key Identifier", "RFC 5280"),
        ("certificate verify failed: CA cert does not include key usage extension", "RFC 5280"),
        ("certificate verify failed: self-signed certificate", "ca_file"),
        ("Connection refused", "its port"),
    ],
)
def test_a_certificate_that_only_newer_pythons_refuse_is_told_from_an_unknown_authority(
    reason, hint
):
    assert hint in not_connected("server", reason, "https://localhost").hint
