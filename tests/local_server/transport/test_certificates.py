"""Certificates that are renewed while the server runs, over HTTPS and gRPC."""

import asyncio
import codecs
import itertools
import ssl

import grpc.aio
import pytest
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.tls import Certificates
from cryptography import x509

from cloudserve.errors import UserError

from .certificates import Signed, config_text
from .conftest import echo
from .grpc.grpc_echo import Echo, ask, in_loop, serving


@pytest.fixture(scope="module")
def authority():
    return Signed("authority")


@pytest.fixture(scope="module")
def first(authority):
    return Signed("first", authority)


@pytest.fixture(scope="module")
def second(authority):
    return Signed("second", authority)


@pytest.fixture
def file(tmp_path, first):
    path = tmp_path / "ssl.config"
    write(path, first)
    return path


def write(path, identity, **fields):
    """Replace the file whole, as an operator should."""
    new = path.with_suffix(".new")
    text = config_text(server_key=identity.key, server_cert=identity.certificate, **fields)
    new.write_text(text)
    new.rename(path)


def at_every_look(path):
    """Return certificates whose clock goes a second on each time they are asked for."""
    return Certificates(path, itertools.count().__next__)


def name_of(certificate):
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return name.value


def shown(port):
    """Return the name in the certificate that a new connection is shown."""
    pem = ssl.get_server_certificate(("localhost", port), timeout=20)
    return name_of(x509.load_pem_x509_certificate(pem.encode()))


def test_https_shows_new_clients_the_new_certificate(serve, file, second):
    running = serve(echo, tls=at_every_look(file))
    assert shown(running.port) == "first"
    write(file, second)
    assert shown(running.port) == "second"


@in_loop
async def test_grpc_shows_new_clients_the_new_certificate(file, second, authority):
    options = GrpcServerOptions(tls=at_every_look(file))
    trust = grpc.ssl_channel_credentials(authority.certificate.encode())
    async with serving(Echo(), options=options) as server:
        async with grpc.aio.secure_channel(f"localhost:{server.port}", trust) as old:
            assert await ask(old, "Say", "before") == "before"
            assert await asyncio.to_thread(shown, server.port) == "first"
            write(file, second)
            assert await asyncio.to_thread(shown, server.port) == "second"
            assert await ask(old, "Say", "after") == "after"
        async with grpc.aio.secure_channel(f"localhost:{server.port}", trust) as new:
            assert await ask(new, "Say", "hello") == "hello"


def test_the_file_is_looked_at_once_a_second_at_most(file, first, second):
    clock = iter([0.0, 0.9, 0.99, 1.0, 1.1])
    certificates = Certificates(file, clock.__next__)
    certificates.current()
    write(file, second)
    before = certificates.current()
    after = certificates.current()
    assert before.certificate == first.certificate.encode()
    assert after.certificate == second.certificate.encode()
    assert certificates.current() is after


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "none; No such file or directory"),
        ("nonsense", "Invalid protobuf file:"),
        ("", "TLS needs the server's key and certificate"),
        ('server_key: "k" server_cert: "c"', "TLS cannot be set up:"),
    ],
)
def test_a_file_that_cannot_be_used_keeps_the_previous_certificates(
    file, first, content, text, caplog
):
    certificates = at_every_look(file)
    if content is None:
        file.unlink()
        text = text.replace("none", str(file))
    else:
        file.write_text(content)
    for _ in range(3):
        assert certificates.current().certificate == first.certificate.encode()
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(f"keeping the previous certificates: {file}: {text}")
    assert "BEGIN" not in message


def test_the_requirement_of_client_certificates_does_not_change(
    file, first, second, authority, caplog
):
    certificates = at_every_look(file)
    write(file, second, custom_ca=authority.certificate, client_verify=True)
    assert certificates.current().certificate == first.certificate.encode()
    assert f"{file} changes client_verify, which takes a restart" in caplog.text


def test_the_byte_order_mark_of_an_editor_is_skipped(file, first):
    file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    assert Certificates(file).current().certificate == first.certificate.encode()


def test_certificates_that_do_not_fit_are_reported_at_the_start(tmp_path, first, second):
    path = tmp_path / "ssl.config"
    path.write_text(config_text(server_key=first.key, server_cert=second.certificate))
    with pytest.raises(UserError, match="TLS cannot be set up"):
        Certificates(path)
