"""Server certificates and client authentication, from TensorFlow Serving's `ssl_config_file`."""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Protocol

from google.protobuf import text_format
from google.protobuf.descriptor_pool import DescriptorPool

from cloudserve.errors import UserError
from cloudserve.protos import Message, declare, message_class

from ..reloaded_file import ReloadedFile
from ..status import Code, FileStatusError

HTTP1: Final = ("http/1.1",)
HTTP2: Final = ("h2",)
_HTTP2_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM texts: the server's key and certificate chain, and the CA of client certificates."""

    key: bytes = field(repr=False)
    certificate: bytes
    client_ca: bytes = b""
    verify_clients: bool = False
    """Whether a client must show a certificate that `client_ca` signed."""

    def current(self) -> Tls:
        """Return itself: a `TlsSource` that never changes."""
        return self


class TlsSource(Protocol):
    """Provides the certificates to present, which may be renewed while a server runs."""

    def current(self) -> Tls:
        """Return the certificates for the next client: the same object while they are unchanged.

        They match each other, and `verify_clients` does not change. Any thread may call it.
        """
        ...


def read_ssl_config(path: Path) -> Tls:
    """Read an `SSLConfig` in text form; it holds keys and certificates, not their paths.

    Raises FileStatusError for a file that does not exist (NOT_FOUND) or cannot be parsed
    (INVALID_ARGUMENT, with TensorFlow Serving's text), UserError if a field is missing.
    """
    config = _parse(path)
    if not config.server_key or not config.server_cert:
        raise UserError(
            "TLS needs the server's key and certificate",
            where=str(path),
            hint='write server_key: "-----BEGIN …" and server_cert: "-----BEGIN …", both as PEM',
        )
    if config.client_verify and not config.custom_ca:
        raise UserError(
            "client_verify needs custom_ca: the certificate that signs the clients'",
            where=str(path),
            hint='write custom_ca: "-----BEGIN …", or leave client_verify out',
        )
    return Tls(
        key=config.server_key.encode(),
        certificate=config.server_cert.encode(),
        client_ca=config.custom_ca.encode(),
        verify_clients=config.client_verify,
    )


def server_context(tls: Tls, alpn: Sequence[str] = HTTP1) -> ssl.SSLContext:
    """Return the SSL context of a server of these protocols (ALPN): TLS 1.2 and later.

    Raises UserError if the key, certificate or CA cannot be parsed or they do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(list(alpn))
    if HTTP2[0] in alpn:
        # RFC 9113, 9.2: no renegotiation, and of TLS 1.2 no suites of its appendix A.
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(_HTTP2_CIPHERS)
    try:
        _load_identity(context, tls)
        if tls.verify_clients:
            context.load_verify_locations(cadata=tls.client_ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
    # The text is OpenSSL's, which quotes nothing.
    except (ssl.SSLError, ValueError) as error:
        raise UserError(
            f"TLS cannot be set up: {error}",
            hint="check that server_key, server_cert and custom_ca are PEM, that the key has no "
            "password, and that key and certificate belong together",
        ) from None
    return context


class Certificates:
    """The certificates of a file (a `TlsSource`), read again when it changes.

    TensorFlow Serving reads it once.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises as `read_ssl_config` and `server_context` do."""
        self._verify_clients: bool | None = None
        self._file = ReloadedFile(path, "certificates", self._read, now)

    def current(self) -> Tls:
        """Return the certificates to present."""
        return self._file.current()

    def _read(self, path: Path) -> Tls:
        tls = read_ssl_config(path)
        server_context(tls)
        if self._verify_clients is None:
            self._verify_clients = tls.verify_clients
        if tls.verify_clients != self._verify_clients:
            raise UserError(f"{path} changes client_verify, which takes a restart")
        return tls


class ServerTls:
    """The SSL context of a server, recreated when the certificates change."""

    def __init__(self, source: TlsSource, alpn: Sequence[str] = HTTP1) -> None:
        """Create the first context; raises as `server_context` does."""
        self._source = source
        self._alpn = alpn
        self._shown = source.current()
        self._context = server_context(self._shown, alpn)

    def context(self) -> ssl.SSLContext:
        """Return the context for the next client."""
        current = self._source.current()
        if current is not self._shown:
            self._context = server_context(current, self._alpn)
            self._shown = current
        return self._context


def _load_identity(context: ssl.SSLContext, tls: Tls) -> None:
    # OpenSSL reads them only from a file, so write a temporary one that only this user can read.
    with tempfile.NamedTemporaryFile(prefix="cloudserve-", suffix=".pem") as file:
        file.write(tls.key + b"\n" + tls.certificate)
        file.flush()
        # Without the function OpenSSL would ask the terminal for the password of a locked key.
        context.load_cert_chain(file.name, password=lambda: "")


def _parse(path: Path) -> Message:
    try:
        return text_format.Parse(path.read_bytes().decode("utf-8-sig"), _ssl_config_class()())
    except OSError as error:
        raise FileStatusError(Code.NOT_FOUND, f"{path}; {error.strerror}") from error
    # No cause: the parser quotes the line it failed at, which may be the key.
    except (text_format.ParseError, UnicodeDecodeError):
        raise FileStatusError(Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{path}'") from None


@cache
def _ssl_config_class() -> Message:
    """Create `SSLConfig` (tensorflow_serving/config/ssl_config.proto), which no package ships."""
    pool = DescriptorPool()
    fields = ("server_key = 1", "server_cert = 2", "custom_ca = 3")
    lines = (*(f"string {field}" for field in fields), "bool client_verify = 4")
    declare(pool, "tensorflow.serving", {"SSLConfig": lines})
    return message_class(pool, "tensorflow.serving.SSLConfig")
