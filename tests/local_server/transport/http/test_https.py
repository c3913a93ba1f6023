"""HTTP/1.1 over TLS: admitted clients, stalled and failed handshakes, and closing."""

import asyncio
import errno
import http.client
import logging
import socket
import ssl
import threading

import pytest
from cloudserve.local_server.transport.http.server import HttpServer
from cloudserve.local_server.transport.tls import Tls, read_ssl_config, server_context
from cloudserve.local_server.transport.types import FileSlice, Response
from cryptography.hazmat.primitives import serialization

from cloudserve.errors import UserError

from ..certificates import Signed, config_text
from ..conftest import CLOSE, PATIENCE, App, echo, echo_later, ok

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def authority():
    return Signed("authority")


@pytest.fixture(scope="module")
def identity(authority):
    return Signed("localhost", authority)


@pytest.fixture(scope="module")
def tls(identity):
    return Tls(identity.key.encode(), identity.certificate.encode())


@pytest.fixture(scope="module")
def mutual(identity, authority):
    """Certificates of a server that asks its clients for theirs."""
    ca = authority.certificate.encode()
    return Tls(identity.key.encode(), identity.certificate.encode(), ca, verify_clients=True)


@pytest.fixture
def trust(authority, tmp_path):
    """Make a client's context: it trusts the authority, and shows a certificate if it has one."""

    def make(client=None, minimum=ssl.TLSVersion.TLSv1_2):
        context = ssl.create_default_context(cadata=authority.certificate)
        context.minimum_version = minimum
        if client is not None:
            file = tmp_path / "client.pem"
            file.write_text(client.key + client.certificate)
            context.load_cert_chain(file)
        return context

    return make


def secure(running, context):
    """Open an encrypted connection."""
    wire = running.connect()
    wire.socket = context.wrap_socket(wire.socket, server_hostname="localhost")
    return wire


def ask(running, context):
    wire = secure(running, context)  # TLS 1.3 tells a client's failure with the first read
    wire.send(GET)
    return wire.read_response()


@pytest.mark.parametrize("answer", [echo, echo_later])
def test_requests_are_answered_over_one_encrypted_connection(serve, tls, trust, answer):
    running = serve(answer, tls=tls)
    wire = secure(running, trust())
    for _ in range(3):
        wire.send(GET)
        assert wire.read_response() == ok(b"GET / b''")
    assert wire.socket.version() == "TLSv1.3"
    assert running.server.url == f"https://127.0.0.1:{running.port}"


def test_pipelined_requests_are_answered_in_order(serve, tls, trust):
    wire = secure(serve(echo_later, tls=tls), trust())
    wire.send(b"".join(GET.replace(b"/ ", b"/%d " % n) for n in range(20)))
    for n in range(20):
        assert wire.read_response() == ok(b"GET /%d b''" % n)


def test_a_common_client_is_served(serve, tls, trust):
    running = serve(echo, tls=tls)
    connection = http.client.HTTPSConnection(
        "localhost", running.port, timeout=PATIENCE, context=trust()
    )
    connection.request("POST", "/a", b"body")
    assert connection.getresponse().read() == b"POST /a b'body'"
    connection.close()


def test_bodies_of_megabytes_go_there_and_back(serve, tls, trust):
    async def mirror(request):
        return Response(200, await request.stream.read(1 << 24))

    body = bytes(range(256)) * (5 << 12)
    wire = secure(serve(App(mirror, limit=None), tls=tls), trust())
    # From one thread: Python 3.11's TLS sockets bear no two at once.
    wire.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    head = wire.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert wire.read_exactly(len(body)) == body


def test_files_are_streamed(serve, tls, trust, tmp_path):
    content = bytes(range(256)) * (3 << 12)
    file = tmp_path / "file"
    file.write_bytes(content)
    answer = Response(200, FileSlice(file, 1, len(content) - 1))
    wire = secure(serve(lambda _: answer, tls=tls), trust())
    wire.send(GET)
    wire.read_until(b"\r\n\r\n")
    assert wire.read_exactly(len(content) - 1) == content[1:]


def test_a_last_answer_is_followed_by_a_clean_end(serve, tls, trust):
    wire = secure(serve(echo, tls=tls), trust())
    wire.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert wire.read_to_end() == ok(b"GET / b''", CLOSE)  # an unclean one raises SSLEOFError


def test_a_refusal_reaches_a_client_that_is_still_sending(serve, tls, trust):
    wire = secure(serve(App(echo, limit=10), tls=tls), trust())
    wire.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n" + bytes(200_000))
    assert wire.read_response().startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    wire.close()


def test_a_client_that_leaves_within_its_request_leaves_nothing_behind(serve, tls, trust, caplog):
    caplog.set_level(logging.WARNING)
    running = serve(echo, tls=tls)
    wire = secure(running, trust())
    wire.send(GET[:10])
    wire.close()
    assert running.settle() == 0
    assert not caplog.records


# Client certificates.


def test_with_client_verify_a_client_shows_a_certificate_of_custom_ca(
    serve, mutual, trust, authority
):
    wire = secure(serve(echo, tls=mutual), trust(Signed("client", authority)))
    wire.send(GET)
    assert wire.read_response() == ok(b"GET / b''")


@pytest.mark.parametrize("client", [None, "stranger"])
def test_other_clients_are_not_let_in_and_cost_no_defect(serve, mutual, trust, client, caplog):
    caplog.set_level(logging.WARNING)
    running = serve(echo, tls=mutual)
    context = trust(Signed(client) if client else None)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        ask(running, context)
    assert running.settle() == 0
    assert not caplog.records


# Handshakes that fail or stall.


def silent(wire):
    pass


def plain(wire):
    wire.send(GET)


def garbage(wire):
    wire.send(b"\x16\x03\x01\xff\xff" + bytes(200))


def hello_and_gone(wire):
    wire.send(b"\x16\x03\x01\x00\x05")
    wire.close()


def closed(wire):
    wire.close()


def reset(wire):
    linger_not = b"\x01\0\0\0\0\0\0\0"
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    wire.close()


@pytest.mark.parametrize("client", [silent, plain, garbage, hello_and_gone, closed, reset])
def test_a_handshake_that_fails_or_stalls_keeps_nobody_waiting_and_is_not_a_defect(
    serve, tls, trust, client, caplog
):
    caplog.set_level(logging.WARNING)
    running = serve(echo, tls=tls)
    for _ in range(5):
        client(running.connect())
    wire = secure(running, trust())
    wire.send(GET)
    assert wire.read_response() == ok(b"GET / b''")
    wire.close()
    if client is not silent:
        assert running.settle() == 0
    assert not caplog.records


def test_a_handshake_has_an_end(serve, tls, caplog):
    caplog.set_level(logging.INFO)
    running = serve(echo, tls=tls, handshake_seconds=0.05)
    assert end_of(running.connect()) == b""
    assert running.settle() == 0
    assert "no TLS connection with 127.0.0.1: " in caplog.text


class Full(socket.socket):
    """Has no file descriptor for its first client when that comes first."""

    was_full = False

    def accept(self):
        if not self.was_full:
            self.was_full = True
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_without_file_descriptors_it_rests_and_continues(serve, tls, trust, monkeypatch, caplog):
    monkeypatch.setattr("cloudserve.local_server.transport.tls_listener._REST_SECONDS", 0.01)
    with monkeypatch.context() as patched:
        patched.setattr("socket.socket", Full)
        running = serve(echo, tls=tls)
    wire = secure(running, trust())
    wire.send(GET)
    assert wire.read_response() == ok(b"GET / b''")
    assert "no connection can be accepted: Too many open files" in caplog.text


def test_stop_ends_handshakes_and_idle_connections_at_once(serve, tls, trust):
    running = serve(echo, tls=tls)
    idle = secure(running, trust())
    idle.send(GET)
    idle.read_response()
    stalled = running.connect()
    stalled.send(b"\x16\x03\x01")
    # Accepted in turn: with this one the stalled one has been accepted too.
    secure(running, trust()).close()
    stopping = asyncio.run_coroutine_threadsafe(running.server.stop(PATIENCE), running.loop)
    assert idle.read_to_end() == b""
    assert end_of(stalled) == b""
    stopping.result(PATIENCE)
    assert running.server.connections == 0


def end_of(wire):
    """Read to the end, which is a reset where the server left what came unread."""
    try:
        return wire.read_to_end()
    except ConnectionResetError:
        return b""


def test_stop_lets_an_encrypted_request_finish(serve, tls, trust):
    entered, go_on = threading.Event(), asyncio.Event()

    async def hold(request):
        entered.set()
        await go_on.wait()
        return echo(request)

    running = serve(hold, tls=tls)
    wire = secure(running, trust())
    wire.send(GET)
    assert entered.wait(PATIENCE)
    stopping = asyncio.run_coroutine_threadsafe(running.server.stop(PATIENCE), running.loop)
    running.loop.call_soon_threadsafe(go_on.set)
    assert wire.read_to_end() == ok(b"GET / b''", CLOSE)
    stopping.result(PATIENCE)


# Certificates that are wrong.


def locked(identity):
    key = serialization.load_pem_private_key(identity.key.encode(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_a_key_that_is_not_the_certificates_is_reported_before_anything_opens(identity):
    with pytest.raises(UserError, match="TLS cannot be set up: ") as caught:
        HttpServer(App(echo), tls=Tls(Signed("x").key.encode(), identity.certificate.encode()))
    assert "key and certificate belong together" in caught.value.hint


def test_a_key_with_a_password_is_reported_without_asking_the_terminal(identity):
    with pytest.raises(UserError, match="TLS cannot be set up: "):
        server_context(Tls(locked(identity), identity.certificate.encode()))


@pytest.mark.parametrize(
    ("key", "certificate", "signer"),
    [("k", None, None), (None, "c", None), (None, None, "a"), (None, None, "é"), (None, None, "")],
)
def test_texts_that_are_not_pem_are_reported_and_not_quoted(identity, key, certificate, signer):
    wrong = Tls(
        (identity.key if key is None else key).encode(),
        (identity.certificate if certificate is None else certificate).encode(),
        (identity.certificate if signer is None else signer).encode(),
        verify_clients=True,
    )
    with pytest.raises(UserError, match="TLS cannot be set up: ") as caught:
        server_context(wrong)
    assert "BEGIN" not in caught.value.message


def test_the_key_leaves_no_file_behind(identity, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server_context(Tls(identity.key.encode(), identity.certificate.encode()))
    assert list(tmp_path.iterdir()) == []


def test_an_ssl_config_file_is_for_https_too(serve, identity, authority, trust, tmp_path):
    file = tmp_path / "ssl.config"
    file.write_text(
        config_text(
            server_key=identity.key,
            server_cert=identity.certificate,
            custom_ca=authority.certificate,
            client_verify=True,
        )
    )
    running = serve(echo, tls=read_ssl_config(file))
    wire = secure(running, trust(Signed("client", authority)))
    wire.send(GET)
    assert wire.read_response() == ok(b"GET / b''")
