"""Keys, certificates and `ssl_config_file`s, made for the tests."""

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Signed:
    """A key and its certificate, signed by another one or by itself."""

    def __init__(self, name, by=None):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        signer = by or self
        start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(signer._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
            .add_extension(_usage(is_authority=by is None), critical=True)
            .add_extension(_identifier(self), critical=False)
            .add_extension(_authority(signer), critical=False)
            .sign(signer._key, hashes.SHA256())
        )
        self.certificate = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.key = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


# Python 3.13 verifies strictly (VERIFY_X509_STRICT): RFC 5280 asks for these extensions.


def _usage(*, is_authority):
    of_requests = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    of_lists = {"crl_sign": is_authority, "encipher_only": False, "decipher_only": False}
    return x509.KeyUsage(True, key_cert_sign=is_authority, **of_requests, **of_lists)


def _identifier(signed):
    return x509.SubjectKeyIdentifier.from_public_key(signed._key.public_key())


def _authority(signer):
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer._key.public_key())


def config_text(**fields):
    return "".join(
        f"{name}: {str(value).lower() if isinstance(value, bool) else quoted(value)}\n"
        for name, value in fields.items()
    )


def quoted(text):
    escaped = text.replace("\n", "\\n")
    return f'"{escaped}"'
