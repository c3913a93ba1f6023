"""Servers with certificates and tokens, asked over REST and gRPC by both clients."""

import asyncio

import pytest

from cloudserve import Access, AsyncClient, Client, registry
from cloudserve.client.transports.access import read_token
from cloudserve.errors import RemoteError, UnreachableError, UserError
from cloudserve.local.servers import ServeCommand
from tests.local_server.transport.certificates import Signed, config_text

from .conftest import running
from .echo import write_echo

TOKEN = "s3cret-token"


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Give the addresses of a server, by transport, and the file of its authority."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Signed("authority")
    identity = Signed("localhost", authority)
    (folder / "ca.pem").write_text(authority.certificate)
    (folder / "other.pem").write_text(Signed("other").certificate)
    ssl_config = folder / "ssl.config"
    ssl_config.write_text(config_text(server_key=identity.key, server_cert=identity.certificate))
    (folder / "tokens").write_text(f"{TOKEN}\n")
    command = ServeCommand(
        name="echo", grpc_port=0, ssl_config_file=ssl_config, auth_token_file=folder / "tokens"
    )
    server = registry.local_server().model_server(write_echo(folder / "echo", 1), command)
    with running(server):
        rest, grpc = (a.rpartition(":")[2] for a in (server.address, server.grpc_address))
        addresses = {
            "rest": f"https://localhost:{rest}/v1/models/echo",
            "grpc": f"grpcs://localhost:{grpc}/echo",
        }
        yield addresses, folder


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_token_over_a_trusted_connection_is_answered(secured, transport):
    addresses, folder = secured
    access = Access(token=read_token(folder / "tokens"), ca_file=folder / "ca.pem")
    with Client(addresses[transport], access=access) as client:
        assert client.predict([1.5], signature="float32").array.tolist() == [1.5]

    async def ask():
        async with AsyncClient(addresses[transport], access=access) as client:
            return await client.predict([1.5], signature="float32")

    assert asyncio.run(ask()).array.tolist() == [1.5]


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_without_a_token_the_hint_names_it(secured, transport):
    addresses, folder = secured
    client = Client(addresses[transport], access=Access(ca_file=folder / "ca.pem"))
    with client, pytest.raises(RemoteError) as caught:
        client.predict([1.5], signature="float32")
    assert "give a token" in caught.value.hint


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_an_unknown_authority_is_not_trusted(secured, transport):
    addresses, folder = secured
    access = Access(token=TOKEN, ca_file=folder / "other.pem")
    client = Client(addresses[transport], access=access)
    with client, pytest.raises(UnreachableError, match=r"(?i)certificate") as caught:
        client.predict([1.5], signature="float32")
    assert "ca_file" in caught.value.hint
    assert TOKEN not in f"{caught.value} {caught.value.hint}"


def test_certificates_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "bad.pem").write_text("no certificate")
    for file in ("bad.pem", "none.pem"):
        access = Access(ca_file=tmp_path / file)
        with pytest.raises(UserError, match="the certificates cannot be used"):
            Client("https://localhost:1/v1/models/m", access=access)
        with pytest.raises(UserError, match="the certificates cannot be used"):
            Client("grpcs://localhost:1/m", access=access)


ADDRESSES = ("http://127.0.0.1:1/v1/models/m", "grpc://127.0.0.1:1/m")


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("end", ["\nnext", "\0", "é", "\r"])
def test_a_token_that_no_header_can_have_is_not_shown(address, end):
    client = Client(address, access=Access(token=TOKEN + end))
    with pytest.raises(UserError, match="'Authorization' has characters") as caught:
        client.predict([1.0])
    assert TOKEN not in f"{caught.value} {caught.value.hint} {caught.value.where}"


def test_files_that_are_no_certificates_are_refused_before_a_connection(tmp_path):
    (tmp_path / "text").write_text("text")
    with pytest.raises(UserError, match="the certificates cannot be used"):
        Client("grpcs://127.0.0.1:1/m", access=Access(ca_file=tmp_path / "text"))
    with pytest.raises(UserError, match="a key has no certificate"):
        Access(key_file=tmp_path / "text")
