"""The certificate authority of a data folder: kept, private, renewed, and trusted by clients."""

from __future__ import annotations

import ssl
import stat
from datetime import timedelta

import pytest
from cloudserve.local_server.clouds import certificates
from cloudserve.local_server.clouds.certificates import CERTIFICATE, open_authority
from cloudserve.local_server.transport.tls import server_context
from cryptography import x509

from cloudserve.errors import UserError

KEY = "authority-key.pem"


def test_an_authority_is_kept_and_its_key_is_private(tmp_path):
    folder = tmp_path / "credentials"
    first = open_authority(folder)
    assert open_authority(folder).pem == first.pem == (folder / CERTIFICATE).read_bytes()
    assert stat.S_IMODE((folder / KEY).stat().st_mode) == 0o600


@pytest.mark.parametrize("domains", [(), ("b.test",), ("a.test", "b.test")])
def test_an_authority_for_other_domains_is_replaced(tmp_path, domains):
    before = open_authority(tmp_path, ("a.test",)).pem
    assert open_authority(tmp_path, ("a.test",)).pem == before
    assert open_authority(tmp_path, domains).pem != before


@pytest.mark.parametrize("name", [KEY, CERTIFICATE])
@pytest.mark.parametrize("damage", ["missing", "no PEM", "of another"])
def test_a_damaged_authority_is_replaced(tmp_path, name, damage):
    before = open_authority(tmp_path).pem
    if damage == "missing":
        (tmp_path / name).unlink()
    elif damage == "no PEM":
        (tmp_path / name).write_bytes(b"no PEM")
    else:
        open_authority(tmp_path / "other")
        (tmp_path / name).write_bytes((tmp_path / "other" / name).read_bytes())
    after = open_authority(tmp_path)
    assert after.pem != before
    assert open_authority(tmp_path).pem == after.pem


def test_an_authority_that_expires_soon_is_renewed_with_its_key(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "_VALID", timedelta(days=6))
    before = open_authority(tmp_path)
    monkeypatch.undo()
    after = open_authority(tmp_path)
    assert after.pem == open_authority(tmp_path).pem != before.pem
    assert after.key.public_key() == before.key.public_key()


def test_an_authority_that_has_expired_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "_VALID", timedelta(0))
    before = open_authority(tmp_path)
    monkeypatch.undo()
    assert open_authority(tmp_path).key.public_key() != before.key.public_key()


def test_a_client_that_trusts_it_accepts_its_certificates_for_their_names(tmp_path):
    authority = open_authority(tmp_path)
    server = server_context(authority.issue(["127.0.0.1", "storage.googleapis.com"]))
    client = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
    client.verify_flags |= getattr(ssl, "VERIFY_X509_STRICT", 0)
    assert shake_hands(client, server, "127.0.0.1")
    assert shake_hands(client, server, "storage.googleapis.com")
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(client, server, "s3.amazonaws.com")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get"):
        shake_hands(ssl.create_default_context(), server, "127.0.0.1")


def test_an_authority_of_domains_cannot_vouch_for_other_hosts(tmp_path):
    authority = open_authority(tmp_path, ["googleapis.com"])
    client = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
    client.verify_flags |= getattr(ssl, "VERIFY_X509_STRICT", 0)
    for name in ("googleapis.com", "storage.googleapis.com"):
        assert shake_hands(client, server_context(authority.issue([name])), name)
    for name in ("pypi.org", "evilgoogleapis.com"):
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
            shake_hands(client, server_context(authority.issue([name])), name)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    open_authority(tmp_path)
    (tmp_path / KEY).chmod(mode)
    with pytest.raises(UserError, match="can be read by other users") as caught:
        open_authority(tmp_path)
    assert caught.value.hint


def test_a_key_behind_a_link_is_refused(tmp_path):
    open_authority(tmp_path)
    (tmp_path / KEY).rename(tmp_path / "elsewhere")
    (tmp_path / KEY).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is not a file"):
        open_authority(tmp_path)


def test_a_certificate_signs_no_others(tmp_path):
    issued = open_authority(tmp_path).issue(["localhost"])
    leaf, root = x509.load_pem_x509_certificates(issued.certificate)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    limits = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    """Connect both in memory; raises SSLError if the client refuses the server."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].version() is not None
