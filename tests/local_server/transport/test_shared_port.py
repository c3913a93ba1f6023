"""One port for HTTP/1.1 and gRPC, with and without TLS."""

from __future__ import annotations

import http.client
import socket
import ssl

import grpc
import pytest
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc_http2.routes import StreamMethod
from cloudserve.local_server.transport.grpc_types import CallError
from cloudserve.local_server.transport.limits import Limits
from cloudserve.local_server.transport.shared_port import SharedPort
from cloudserve.local_server.transport.tls import Tls
from google.protobuf.wrappers_pb2 import StringValue

from .certificates import Signed
from .conftest import PATIENCE, App, Running, Wire, echo, ok

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
PATH = "/test.Echo/Say"


async def say(call, requests):
    """Answer with the message and the host that the client called; fail for "fail"."""
    async for message in requests:
        if message.value == "fail":
            raise CallError(Code.ABORTED, "as asked", b"\x08\x0a")
        if message.value == "plain":
            raise StatusError(Code.ABORTED, "as asked")
        yield StringValue(value=f"{message.value} to {call.authority}")


@pytest.fixture(scope="module")
def authority():
    return Signed("authority")


@pytest.fixture(scope="module")
def tls(authority):
    identity = Signed("localhost", authority)
    return Tls(identity.key.encode(), identity.certificate.encode())


@pytest.fixture
def share(loop):
    started: list[Running] = []

    def start(tls=None, **limits) -> Running:
        methods = {PATH.encode(): StreamMethod(StringValue, say)}
        server = SharedPort(App(echo), methods, "127.0.0.1", 0, limits=Limits(**limits), tls=tls)
        started.append(Running(server, loop, []))
        started[-1].run(server.start())
        return started[-1]

    yield start
    for running in started:
        for wire in running.wires:
            wire.close()
        running.run(running.server.stop(PATIENCE))


@pytest.fixture
def both(share, tls):
    return share(tls)


def ask(channel, value: str = "hello") -> str:
    call = channel.unary_unary(
        PATH,
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )
    with channel:
        return call(StringValue(value=value), timeout=PATIENCE).value


def secure(port: int, authority):
    credentials = grpc.ssl_channel_credentials(authority.certificate.encode())
    return grpc.secure_channel(f"localhost:{port}", credentials)


def test_a_request_line_is_http1(both):
    wire = both.connect()
    for _ in range(2):
        wire.send(GET)
        assert wire.read_response() == ok(b"GET / b''")


def test_the_preface_is_grpc(both):
    answer = ask(grpc.insecure_channel(f"127.0.0.1:{both.port}"))
    assert answer == f"hello to 127.0.0.1:{both.port}"


def test_over_tls_the_client_chooses_grpc(both, authority):
    assert ask(secure(both.port, authority)) == f"hello to localhost:{both.port}"


@pytest.mark.parametrize("protocols", [["http/1.1"], []], ids=["http/1.1", "no ALPN"])
def test_over_tls_the_client_chooses_http1(both, authority, protocols):
    context = ssl.create_default_context(cadata=authority.certificate)
    if protocols:
        context.set_alpn_protocols(protocols)
    client = http.client.HTTPSConnection("localhost", both.port, context=context, timeout=PATIENCE)
    client.request("GET", "/a")
    assert client.getresponse().read() == b"GET /a b''"
    client.close()


def test_without_certificates_tls_is_refused_and_the_rest_works(share, authority):
    running = share()
    context = ssl.create_default_context(cadata=authority.certificate)
    client = http.client.HTTPSConnection(
        "localhost", running.port, context=context, timeout=PATIENCE
    )
    with pytest.raises((ssl.SSLError, ConnectionError)):
        client.connect()
    assert ask(grpc.insecure_channel(f"127.0.0.1:{running.port}")).startswith("hello")


def test_a_silent_client_becomes_one_of_http1(share):
    running = share(handshake_seconds=0.05, idle_seconds=0.3)
    assert running.connect().read_to_end() == b""


def test_a_client_may_say_its_first_byte_alone(both):
    wire = both.connect()
    wire.send(GET[:1])
    wire.send(GET[1:])
    assert wire.read_response() == ok(b"GET / b''")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_preface_may_arrive_in_parts(both, size):
    wire = both.connect()
    wire.send(PREFACE[:size])
    wire.send(PREFACE[size:])
    assert wire.socket.recv(9)[3] == 4  # SETTINGS


def test_over_tls_a_client_of_both_gets_http1(both, authority):
    context = ssl.create_default_context(cadata=authority.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", both.port), PATIENCE) as client,
        context.wrap_socket(client, server_hostname="localhost") as encrypted,
    ):
        assert encrypted.selected_alpn_protocol() == "http/1.1"


def test_a_client_that_leaves_without_a_word_is_forgotten(both):
    Wire(both.port).close()
    both.connect().send(b"\x16\x03\x01broken handshake")
    assert ask(grpc.insecure_channel(f"127.0.0.1:{both.port}")).startswith("hello")


def test_a_stop_closes_silent_clients_immediately(both):
    wire = both.connect()
    both.run(both.server.stop(PATIENCE))
    assert wire.read_to_end() == b""


def test_a_stop_while_clients_arrive_leaves_none(both, caplog):
    wires = [Wire(both.port) for _ in range(300)]
    for wire in wires:
        wire.close()
    both.run(both.server.stop(0.5))
    assert "did not end" not in caplog.text


@pytest.mark.parametrize(("value", "details"), [("fail", b"\x08\x0a"), ("plain", None)])
def test_details_of_an_error_are_in_its_trailers(both, value, details):
    with pytest.raises(grpc.RpcError) as raised:
        ask(grpc.insecure_channel(f"127.0.0.1:{both.port}"), value)
    assert (raised.value.code().name, raised.value.details()) == ("ABORTED", "as asked")
    trailers = dict(raised.value.trailing_metadata())
    assert trailers.get("grpc-status-details-bin") == details
