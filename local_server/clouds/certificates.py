"""The certificate authority of the offline clouds, for clients that insist on TLS.

Each data folder has its own, made at the first start; clients trust it because a variable names its
certificate. Its key is readable by the owner only. Its certificate is valid for a month, and signed
again with the same key before it expires: at a start, or while a server runs (`renewal`). An
authority for the real hosts of the clouds can vouch for
those only (name constraints, RFC 5280 4.2.1.10): a stolen key is of no use against others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudserve.errors import MissingExtraError, UserError
from cloudserve.files import replace_atomically

from ..transport.tls import Tls

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName

CERTIFICATE: Final = "authority.pem"
"""The file of the certificate that clients must trust, in the folder of an authority."""
_KEY: Final = "authority-key.pem"
_NAME: Final = "cloudserve offline clouds"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_VALID: Final = timedelta(days=30)
_RENEWED: Final = timedelta(days=7)
_SKEW: Final = timedelta(hours=1)
"""How far a client's clock may be behind."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority."""

    key: EllipticCurvePrivateKey
    certificate: Certificate

    def issue(self, names: Iterable[str]) -> Tls:
        """Return a new key and a certificate for these ASCII host names and addresses."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            x509.CertificateBuilder(
                issuer_name=self.certificate.subject,
                subject_name=x509.Name([]),
                public_key=key.public_key(),
                serial_number=x509.random_serial_number(),
                not_valid_before=self.certificate.not_valid_before_utc,
                not_valid_after=self.certificate.not_valid_after_utc,
            )
            # Critical, because the subject is empty (RFC 5280, 4.2.1.6).
            .add_extension(alternatives, critical=True)
            .add_extension(server, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(signer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return Tls(key=_key_pem(key), certificate=_pem(certificate) + self.pem)

    def expires_soon(self, now: datetime) -> bool:
        """Return whether the certificate, and those that it issued, must be renewed."""
        return self.certificate.not_valid_after_utc - _RENEWED <= now

    @cached_property
    def pem(self) -> bytes:
        """Return the certificate that clients must trust."""
        return _pem(self.certificate)


def open_authority(folder: Path, domains: Sequence[str] = ()) -> Authority:
    """Return the authority of a folder: made if it has none, renewed if it expires soon.

    It can vouch for names in `domains` only, if there are any: one for others is replaced. Blocks.
    Raises UserError if other users can read the key, MissingExtraError without `cryptography`,
    which google-auth depends on.
    """
    _check_private(folder / _KEY)
    try:
        kept = _read(folder)
    except ImportError as error:
        raise MissingExtraError("The offline Google Cloud", "gcp") from error
    now = datetime.now(UTC)
    if kept is None or not _is_usable(kept.certificate, domains, now):
        return _write(folder, _make(domains, now))
    return renew(folder, kept, domains, now) if kept.expires_soon(now) else kept


def renew(folder: Path, authority: Authority, domains: Sequence[str], now: datetime) -> Authority:
    """Sign the certificate of a folder's authority again, with the same key. Blocks."""
    return _write(folder, _make(domains, now, authority.key))


def _write(folder: Path, authority: Authority) -> Authority:
    folder.mkdir(parents=True, exist_ok=True)
    # A certificate without its key would be replaced, a key without its certificate as well.
    replace_atomically(folder / _KEY, _key_pem(authority.key), 0o600)
    replace_atomically(folder / CERTIFICATE, authority.pem, 0o644)
    return authority


def _read(folder: Path) -> Authority | None:
    """Return the authority of a folder; None if a file is missing, damaged, or of another pair."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        key = load_pem_private_key((folder / _KEY).read_bytes(), None)
        certificate = load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return Authority(key, certificate)


def server_names(allowed: Iterable[str]) -> tuple[str, ...]:
    """Return the names of this machine and the allowed ones; one with a dot first is a domain."""
    names = [f"*{name}" if name.startswith(".") else name for name in allowed]
    return tuple(dict.fromkeys((*_LOOPBACK, *(name for name in names if name.isascii()))))


def _is_usable(certificate: Certificate, domains: Sequence[str], now: datetime) -> bool:
    """Return whether a certificate is valid, and for exactly these domains."""
    from cryptography import x509

    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        permitted = [name.value for name in constraints.permitted_subtrees or ()]
    except x509.ExtensionNotFound:
        permitted = []
    return certificate.not_valid_after_utc > now and permitted == list(domains)


def _check_private(key: Path) -> None:
    """Raise UserError if others could have signed certificates with a key."""
    try:
        found = key.lstat()
    except OSError:
        return  # a missing one is made
    if not stat.S_ISREG(found.st_mode):
        problem = "is not a file"
    elif found.st_uid != os.geteuid():
        problem = "belongs to another user"
    elif stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        problem = "can be read by other users"
    else:
        return
    raise UserError(
        f"the key of the certificate authority {problem}",
        where=str(key),
        hint="remove it: a new authority is made at the next start",
    )


def _make(
    domains: Sequence[str], now: datetime, key: EllipticCurvePrivateKey | None = None
) -> Authority:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - _SKEW,
            not_valid_after=now + _VALID,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
    )
    if domains:
        permitted = x509.NameConstraints([x509.DNSName(name) for name in domains], None)
        builder = builder.add_extension(permitted, critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def _general_name(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)
