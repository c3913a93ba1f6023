"""How a server is reached: tokens, headers and certificates."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.errors import UserError

_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
"""The names and values that RFC 9110, 5.1 and 5.5, allows, without bytes beyond ASCII."""
Token = str | Callable[[], str]
"""A bearer token, or a function that is asked for one before each request."""


def read_token(file: Path | None) -> Token:
    """Return a function that reads a token file before each request: tokens are renewed.

    "" without a file. Raises UserError if it cannot be read now.
    """
    if file is None:
        return ""

    def read() -> str:
        try:
            return file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"the token cannot be read: {error}",
                where=str(file),
                hint="give a file with one token",
            ) from error

    read()
    return read


def trace_headers() -> dict[str, str]:
    """Return the headers that continue the caller's trace, such as `traceparent`.

    {} unless the program uses OpenTelemetry and has a current span (W3C Trace Context).
    """
    headers: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules:
        from opentelemetry.propagate import inject

        inject(headers)
    return headers


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials and certificates for a server; targets of a project use their SDK's own."""

    token: Token = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further headers, which are the metadata of gRPC calls."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's, in PEM form."""
    certificate_file: Path | None = None
    """The client's certificate, for servers that ask for one; its key is `key_file`, or in it."""
    key_file: Path | None = None

    def __post_init__(self) -> None:
        """Raises UserError for a key without its certificate."""
        if self.key_file is not None and self.certificate_file is None:
            raise UserError(
                "a key has no certificate",
                where=str(self.key_file),
                hint="give `certificate_file` too",
            )

    def headers_now(self) -> dict[str, str]:
        """Return the headers of the next request.

        Raises UserError for one that cannot be sent; the error has no values, which are secrets.
        """
        token = self.token() if callable(self.token) else self.token
        own = {"Authorization": f"Bearer {token}"} if token else {}
        headers = {**trace_headers(), **self.headers, **own}
        for name, value in headers.items():
            if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
                raise UserError(
                    f"the header {name!a} has characters that no header can have",
                    hint="give a token of one line, in ASCII",
                )
        return headers

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context for HTTPS; raises UserError for a file that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            raise UserError(
                f"the certificates cannot be used: {error.strerror or error}",
                where=str(self.ca_file or self.certificate_file),
                hint="give files in PEM form: `ca_file`, `certificate_file` and its `key_file`",
            ) from error
        return context

    def pem(self, file: Path | None) -> bytes | None:
        """Return the content of a certificate's file, None without one; raises UserError."""
        if file is None:
            return None
        try:
            return file.read_bytes()
        except OSError as error:
            raise UserError(
                f"the file cannot be read: {error.strerror}",
                where=str(file),
                hint="give a file in PEM form",
            ) from error
