"""Certificates that are renewed while the offline clouds run."""

from __future__ import annotations

import shutil
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cloudserve.local_server.clouds import certificates
from cloudserve.local_server.clouds.certificates import CERTIFICATE
from cloudserve.local_server.clouds.renewal import RenewedAuthority, RenewedCertificate
from cloudserve.local_server.transport.tls import ServerTls
from cryptography import x509

from tests.local_server.clouds.intercept.conftest import RunningProxy
from tests.local_server.clouds.test_certificates import shake_hands

HOST = "storage.googleapis.com"
REQUEST = b"GET / HTTP/1.1\r\nHost: storage.googleapis.com\r\n\r\n"


class Clock:
    """The current time, and what a test adds."""

    def __init__(self) -> None:
        self.added = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.added


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Give the clock of certificates that are valid for 50 minutes and renewed after 10."""
    monkeypatch.setattr(certificates, "_VALID", timedelta(minutes=50))
    monkeypatch.setattr(certificates, "_RENEWED", timedelta(minutes=40))
    return Clock()


def serial(client: ssl.SSLSocket) -> int:
    return x509.load_der_x509_certificate(client.getpeercert(binary_form=True)).serial_number


def test_a_certificate_is_issued_again_before_it_expires(tmp_path, clock):
    authority = RenewedAuthority(tmp_path, now=clock)
    shown = RenewedCertificate(authority, ["localhost"])
    server = ServerTls(shown)
    client = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
    first, context = shown.current(), server.context()
    assert (shown.current(), server.context()) == (first, context)
    clock.added = timedelta(minutes=11)
    assert shown.current() is not first
    assert server.context() is not context
    later = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
    for trusting in (client, later):  # the certificate before the renewal, and the one after it
        assert shake_hands(trusting, server.context(), "localhost")
    ends = authority.current().certificate.not_valid_after_utc
    assert ends > clock() + timedelta(minutes=40)


def test_the_proxy_renews_and_keeps_its_connections(tmp_path, clock):
    proxy = RunningProxy(tmp_path, now=clock)
    try:
        client = ssl.create_default_context(cafile=proxy.certificate)
        with client.wrap_socket(proxy.connect(f"{HOST}:443"), server_hostname=HOST) as before:
            clock.added = timedelta(minutes=11)
            after = client.wrap_socket(proxy.connect(f"{HOST}:443"), server_hostname=HOST)
            with after:
                assert serial(after) != serial(before)
                for each in (before, after):
                    each.sendall(REQUEST)
                    assert each.recv(1000).startswith(b"HTTP/1.1 200 OK")
    finally:
        proxy.stop()


def test_a_failed_renewal_is_logged_and_tried_again_later(tmp_path, clock, caplog):
    folder = tmp_path / "authority"
    authority = RenewedAuthority(folder, now=clock)
    first = authority.current()
    shutil.rmtree(folder)
    folder.write_text("a file")
    clock.added = timedelta(minutes=11)
    assert [authority.current(), authority.current()] == [first, first]
    (record,) = caplog.records
    assert "cannot be renewed" in record.getMessage()
    folder.unlink()
    clock.added = timedelta(minutes=72)
    assert authority.current().key.public_key() == first.key.public_key()
    assert authority.current() is not first
