"""The certificates a transport shows and asks for, from TensorFlow Serving's `ssl_config_file`."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from google.protobuf import message_factory, text_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from cloudserve.errors import UserError

from ..status import Code, StatusError


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM texts: the server's key and certificate chain, and who may sign its clients'."""

    key: bytes = field(repr=False)
    certificate: bytes
    client_ca: bytes = b""
    verify_clients: bool = False
    """Whether a client must show a certificate that `client_ca` signed."""

    def current(self) -> Tls:
        """Return these: a `TlsSource` that never changes."""
        return self


class TlsSource(Protocol):
    """Who knows the certificates to show; `certificates.Certificates` reads them again."""

    def current(self) -> Tls:
        """Return the certificates to show to the next client: the same object while they last.

        They fit together, and `verify_clients` does not change. Any thread may ask.
        """
        ...


def read_ssl_config(path: Path) -> Tls:
    """Read an `SSLConfig` in text form; keys and certificates stand in it, not their paths.

    Raises StatusError for a file that is not there (NOT_FOUND) or not one (INVALID_ARGUMENT, in
    TensorFlow Serving's words), UserError for one that lacks what it needs.
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


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return what an HTTP/1.1 server encrypts with: TLS 1.2 and later.

    Raises UserError for a key, certificate or authority that is none, or that do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        _load_identity(context, tls)
        if tls.verify_clients:
            context.load_verify_locations(cadata=tls.client_ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
    # Its text is OpenSSL's, which quotes nothing.
    except (ssl.SSLError, ValueError) as error:
        raise UserError(
            f"TLS cannot be set up: {error}",
            hint="check that server_key, server_cert and custom_ca are PEM, that the key has no "
            "password, and that key and certificate belong together",
        ) from None
    return context


class ServerTls:
    """What an HTTP/1.1 server encrypts with, made anew when the certificates are others."""

    def __init__(self, source: TlsSource) -> None:
        """Make the first context; raises as `server_context` does."""
        self._source = source
        self._shown = source.current()
        self._context = server_context(self._shown)

    def context(self) -> ssl.SSLContext:
        """Return the context for the next client."""
        current = self._source.current()
        if current is not self._shown:
            self._context = server_context(current)
            self._shown = current
        return self._context


def _load_identity(context: ssl.SSLContext, tls: Tls) -> None:
    # OpenSSL reads them from a file through Python, so there is one for a moment, of this user's.
    with tempfile.NamedTemporaryFile(prefix="cloudserve-", suffix=".pem") as file:
        file.write(tls.key + b"\n" + tls.certificate)
        file.flush()
        # Without the function OpenSSL would ask the terminal for the password of a locked key.
        context.load_cert_chain(file.name, password=lambda: "")


def _parse(path: Path) -> Any:
    try:
        return text_format.Parse(path.read_bytes().decode("utf-8-sig"), _ssl_config_class()())
    except OSError as error:
        raise StatusError(Code.NOT_FOUND, f"{path}; {error.strerror}") from error
    # The cause stays out: a parser quotes the line it stumbled on, which may be the key.
    except (text_format.ParseError, UnicodeDecodeError):
        raise StatusError(Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{path}'") from None


def _ssl_config_class() -> Any:
    """Make `SSLConfig` (tensorflow_serving/config/ssl_config.proto), which no package ships."""
    file = FileDescriptorProto(
        name="cloudserve/ssl_config.proto", package="tensorflow.serving", syntax="proto3"
    )
    message = file.message_type.add(name="SSLConfig")
    text, flag = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BOOL
    fields = {"server_key": text, "server_cert": text, "custom_ca": text, "client_verify": flag}
    for number, (name, kind) in enumerate(fields.items(), start=1):
        message.field.add(
            name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL
        )
    pool = DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("tensorflow.serving.SSLConfig")
    )
