"""TLS from an `ssl_config_file`: admitted clients, and invalid files."""

import asyncio
import ssl

import grpc
import grpc.aio
import pytest
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.tls import read_ssl_config
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError

from ..certificates import Signed, config_text
from . import grpc_echo
from .grpc_echo import Echo, ask, in_loop, new_server, refusal, serving


@pytest.fixture(scope="module")
def authority():
    return Signed("authority")


@pytest.fixture(scope="module")
def server_identity(authority):
    return Signed("localhost", authority)


@pytest.fixture
def config_file(tmp_path):
    def write(**fields):
        path = tmp_path / "ssl.config"
        path.write_text(config_text(**fields))
        return path

    return write


def secure(server, authority, client=None):
    credentials = grpc.ssl_channel_credentials(
        authority.certificate.encode(),
        *(each.encode() for each in ((client.key, client.certificate) if client else ())),
    )
    return grpc.aio.secure_channel(f"localhost:{server.port}", credentials)


@pytest.mark.usefixtures("transport")
@in_loop
async def test_clients_that_trust_the_certificate_are_served(
    config_file, authority, server_identity
):
    path = config_file(server_key=server_identity.key, server_cert=server_identity.certificate)
    options = GrpcServerOptions(tls=read_ssl_config(path))
    async with serving(Echo(), options=options) as server:
        async with secure(server, authority) as channel:
            assert await ask(channel, "Say", "hello") == "hello"
        async with secure(server, Signed("stranger")) as channel:
            assert (await refusal(channel, "Say", "hello"))[0] == "UNAVAILABLE"
        async with grpc.aio.insecure_channel(server.address) as channel:
            assert (await refusal(channel, "Say", "hello"))[0] == "UNAVAILABLE"


@pytest.mark.usefixtures("transport")
@in_loop
async def test_large_messages_pass_through_tls(config_file, authority, server_identity):
    path = config_file(server_key=server_identity.key, server_cert=server_identity.certificate)
    options = GrpcServerOptions(tls=read_ssl_config(path))
    text = "x" * 3_000_000
    async with serving(Echo(), options=options) as server, secure(server, authority) as channel:
        assert await asyncio.gather(*(ask(channel, "Say", text) for _ in range(3))) == [text] * 3


@pytest.mark.parametrize("protocols", [None, ["http/1.1"]])
@in_loop
async def test_a_client_that_does_not_select_http2_by_alpn_is_refused(
    config_file, authority, server_identity, monkeypatch, protocols
):
    monkeypatch.setattr(grpc_echo, "chosen", "native")
    path = config_file(server_key=server_identity.key, server_cert=server_identity.certificate)
    context = ssl.create_default_context(cadata=authority.certificate)
    if protocols:
        context.set_alpn_protocols(protocols)
    options = GrpcServerOptions(tls=read_ssl_config(path))
    async with serving(Echo(), options=options) as server:
        reader, writer = await asyncio.open_connection("localhost", server.port, ssl=context)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("cipher", "is_allowed"),
    [("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES128-SHA256", False)],
)
@in_loop
async def test_a_cipher_suite_that_http2_prohibits_is_refused(
    config_file, authority, server_identity, monkeypatch, cipher, is_allowed
):
    monkeypatch.setattr(grpc_echo, "chosen", "native")
    path = config_file(server_key=server_identity.key, server_cert=server_identity.certificate)
    context = ssl.create_default_context(cadata=authority.certificate)
    context.set_alpn_protocols(["h2"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    options = GrpcServerOptions(tls=read_ssl_config(path))
    async with serving(Echo(), options=options) as server:
        connected = asyncio.open_connection("localhost", server.port, ssl=context)
        if is_allowed:
            _, writer = await connected
            assert writer.get_extra_info("cipher")[0] == cipher
            writer.close()
        else:
            with pytest.raises(OSError):
                await connected


@pytest.mark.usefixtures("transport")
@in_loop
async def test_with_client_verify_a_client_shows_a_certificate_of_custom_ca(
    config_file, authority, server_identity
):
    path = config_file(
        server_key=server_identity.key,
        server_cert=server_identity.certificate,
        custom_ca=authority.certificate,
        client_verify=True,
    )
    options = GrpcServerOptions(tls=read_ssl_config(path))
    async with serving(Echo(), options=options) as server:
        async with secure(server, authority, Signed("client", authority)) as channel:
            assert await ask(channel, "Say", "hello") == "hello"
        async with secure(server, authority) as channel:
            assert (await refusal(channel, "Say", "hello"))[0] == "UNAVAILABLE"
        async with secure(server, authority, Signed("stranger")) as channel:
            assert (await refusal(channel, "Say", "hello"))[0] == "UNAVAILABLE"


@pytest.mark.usefixtures("transport")
@in_loop
async def test_the_unix_socket_speaks_tls_too(config_file, tmp_path, authority, server_identity):
    file = config_file(server_key=server_identity.key, server_cert=server_identity.certificate)
    path = tmp_path / "s"
    options = GrpcServerOptions(socket_path=path, tls=read_ssl_config(file))
    trust = grpc.ssl_channel_credentials(authority.certificate.encode())
    named = [("grpc.ssl_target_name_override", "localhost")]
    async with (
        serving(Echo(), port=None, options=options),
        grpc.aio.secure_channel(f"unix:{path}", trust, options=named) as channel,
    ):
        assert await ask(channel, "Say", "hello") == "hello"


@pytest.mark.usefixtures("transport")
@in_loop
async def test_a_key_that_is_not_the_certificates_opens_no_port(config_file, server_identity):
    path = config_file(server_key=Signed("x").key, server_cert=server_identity.certificate)
    server = new_server(Echo(), options=GrpcServerOptions(tls=read_ssl_config(path)))
    with pytest.raises(UserError) as caught:
        await server.start()
    assert "that key and certificate belong together" in caught.value.hint
    assert server.port == 0


def test_a_file_that_is_not_an_ssl_config_is_reported_without_quoting_it(tmp_path, caplog):
    path = tmp_path / "ssl.config"
    path.write_text('server_key "-----BEGIN SECRET')
    with pytest.raises(StatusError) as caught:
        read_ssl_config(path)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == f"Invalid protobuf file: '{path}'"
    assert "SECRET" not in caplog.text
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_text_is_reported(tmp_path):
    path = tmp_path / "ssl.config"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StatusError, match="Invalid protobuf file"):
        read_ssl_config(path)


def test_a_file_that_does_not_exist_is_reported(tmp_path):
    with pytest.raises(StatusError) as caught:
        read_ssl_config(tmp_path / "none")
    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "TLS needs the server's key and certificate"),
        ({"server_key": "k"}, "TLS needs the server's key and certificate"),
        (
            {"server_key": "k", "server_cert": "c", "client_verify": True},
            "client_verify needs custom_ca: the certificate that signs the clients'",
        ),
    ],
)
def test_a_file_that_lacks_what_it_needs_is_reported(config_file, fields, said):
    with pytest.raises(UserError) as caught:
        read_ssl_config(config_file(**fields))
    assert caught.value.message == said


SNIPPETS = st.lists(
    st.sampled_from(["server_key", "client_verify", ":", '"', "'", "\\x", " true", "{", "\n", "#"])
)


@given(text=st.binary(max_size=60) | SNIPPETS.map(lambda parts: "".join(parts).encode()))
def test_any_file_is_an_ssl_config_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("ssl") / "ssl.config"
    path.write_bytes(text)
    with pytest.raises((StatusError, UserError)):
        read_ssl_config(path)


def test_a_key_is_not_shown_where_the_certificates_are_printed(config_file):
    assert "hush" not in repr(read_ssl_config(config_file(server_key="hush", server_cert="c")))
