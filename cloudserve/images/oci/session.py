"""HTTP requests to one registry, with its token authentication.

Source: CNCF Distribution, "Token Authentication Specification" and "Oauth2 Token Authentication";
OCI distribution specification 1.1, "Error Codes". Redirects of downloads to a registry's storage
are followed without the Authorization header.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import urlencode, urljoin, urlsplit

from cloudserve.errors import RemoteError, UnreachableError, UserError
from cloudserve.images.oci.credentials import PASSWORD, USER, Credentials
from cloudserve.storage.retry import retry_after

TIMEOUT = 60.0
"""Seconds without a byte in either direction."""
_MOST_JSON = 4 << 20
"""The size of a manifest that all registries and clients are to support ("Pushing Manifests").

Larger answers than this are refused.
"""
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request: an open file, whose next `size` bytes are sent."""

    file: IO[bytes]
    size: int


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects to another host lose the Authorization header; none leads from HTTPS to HTTP."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        target = super().redirect_request(req, fp, code, msg, headers, newurl)
        if target is None:
            return None
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise RemoteError(
                "the registry redirects from HTTPS to HTTP",
                where=old.netloc,
                hint="ask the operator of the registry: credentials are not sent without TLS",
            )
        if old.netloc != new.netloc:
            target.remove_header("Authorization")
        return target


@dataclass(slots=True)
class Session:
    """Requests to a registry, for one repository and what else is in `scopes`."""

    url: str
    credentials: Credentials | None = field(default=None, repr=False)
    scopes: Sequence[str] = ()
    _authorization: str = field(default="", repr=False)
    _opener: urllib.request.OpenerDirector = field(
        default_factory=lambda: urllib.request.build_opener(_Redirects()), repr=False
    )

    @property
    def host(self) -> str:
        """Return the registry's host, and its port if the URL has one."""
        return urlsplit(self.url).netloc

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Iterator[Any]:
        """Send a request, and yield the response, whatever its status.

        `path` may be a URL, as registries send in Location. Authenticates once if the registry
        asks for it. Raises UnreachableError if there is no response.
        """
        url = urljoin(self.url, path)
        start = body.file.tell() if body else 0
        response = self._send(method, url, headers or {}, body)
        challenge = response.headers.get("WWW-Authenticate", "")
        if response.status == HTTPStatus.UNAUTHORIZED and self._authenticate(challenge):
            response.close()
            if body:
                body.file.seek(start)
            response = self._send(method, url, headers or {}, body)
        with response:
            yield response

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> Any:
        data = _Limited(body) if body else None
        sent = dict(headers) | {"User-Agent": "cloudserve"}
        if body or method in {"POST", "PUT"}:
            sent["Content-Length"] = str(body.size if body else 0)
        if self._authorization and urlsplit(url).netloc == self.host:
            sent["Authorization"] = self._authorization
        request = urllib.request.Request(url, data, sent, method=method)  # noqa: S310 - parsed
        try:
            return self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as response:
            return response
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.host, error) from error

    def _authenticate(self, challenge: str) -> bool:
        """Take the challenge's scheme; return whether the request may be sent again."""
        scheme, _, rest = challenge.partition(" ")
        before = self._authorization
        if scheme.lower() == "basic" and self.credentials:
            self._authorization = self.credentials.basic
        elif scheme.lower() == "bearer":
            self._authorization = ""
            self._authorization = f"Bearer {self._token(dict(_PARAMETER.findall(rest)))}"
        return self._authorization != before

    def _token(self, challenge: Mapping[str, str]) -> str:
        realm = challenge.get("realm", "")
        if urlsplit(realm).scheme != "https" and urlsplit(self.url).scheme == "https":
            raise RemoteError(
                "the registry names a token server without HTTPS",
                where=self.host,
                hint="ask the operator of the registry: credentials are not sent without TLS",
            )
        scopes = [*filter(None, challenge.get("scope", "").split(" ")), *self.scopes]
        query = [("service", challenge.get("service", ""))]
        query += [("scope", scope) for scope in dict.fromkeys(scopes)]
        with self._ask_for_token(realm, query) as response:
            if response.status != HTTPStatus.OK:
                raise refused(response, self.host, "asking for a token")
            answer = _json(response.read(_MOST_JSON))
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str):
            raise RemoteError(
                "the token server sent no token",
                where=urlsplit(realm).netloc,
                hint="log in again with `docker login`, or check the registry's permissions",
            )
        return token

    def _ask_for_token(self, realm: str, query: list[tuple[str, str]]) -> Any:
        credentials = self.credentials
        if credentials and not credentials.user:  # an identity token: OAuth2
            scopes = " ".join(value for key, value in query if key == "scope")
            form = {
                "grant_type": "refresh_token",
                "service": query[0][1],
                "client_id": "cloudserve",
                "scope": scopes,
                "refresh_token": credentials.secret,
            }
            request = urllib.request.Request(realm, urlencode(form).encode())  # noqa: S310 - https
        else:
            headers = {"Authorization": credentials.basic} if credentials else {}
            joint = "&" if urlsplit(realm).query else "?"
            url = f"{realm}{joint}{urlencode(query)}"
            request = urllib.request.Request(url, headers=headers)  # noqa: S310 - https
        try:
            return self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as response:
            return response
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise unreachable(urlsplit(realm).netloc or self.host, error) from error


class _Limited:
    """A reader of the next bytes of an open file."""

    def __init__(self, body: Body) -> None:
        self._file, self._left = body.file, body.size

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


def unreachable(host: str, error: Exception) -> UnreachableError:
    """Return the error for a request without a response."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"the registry's certificate cannot be verified: {reason.verify_message}",
            where=host,
            hint="name the certificates of your authority in SSL_CERT_FILE",
        )
    if isinstance(reason, ssl.SSLError):
        return UnreachableError(
            f"the registry does not speak TLS: {reason.reason}",
            where=host,
            hint="check the port; a registry without TLS is used on loopback alone",
        )
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return UnreachableError(
        f"the registry does not answer: {text}",
        where=host,
        hint="check the name of the registry, and the network",
        retryable=True,
    )


def refused(response: Any, host: str, what: str) -> RemoteError | UserError:
    """Return the error for a response that refuses a request; `what` continues "while"."""
    status, reason = response.status, _reason(response)
    hints = {
        401: f"run `docker login {host}`, or set {USER} and {PASSWORD}",
        403: "grant the account access to the repository",
        404: "check the name; create the repository if it does not exist",
    }
    said = {
        401: "the registry does not accept the credentials",
        403: "the registry refuses access",
        404: "the registry has no such repository or image",
    }.get(status, f"the registry answered {status}")
    return RemoteError(
        f"{said} while {what}{f': {reason}' if reason else ''}",
        where=host,
        hint=hints.get(status),
        status=status,
        retryable=status in _TRANSIENT,
        retry_after=retry_after(response.headers.get("Retry-After")),
    )


def _reason(response: Any) -> str:
    """Return the first error of a body (distribution specification, "Error Codes")."""
    errors = _json(response.read(_MOST_JSON)).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    parts = (first.get("code"), first.get("message")) if isinstance(first, dict) else ()
    return ", ".join(str(part) for part in parts if part)


def _json(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
