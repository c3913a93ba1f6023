"""REST over httpx: a pool of connections for threads, and one for an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cloudserve.client.retry import Deadline, not_connected
from cloudserve.client.transports.access import Access
from cloudserve.client.transports.address import ServerAddress
from cloudserve.client.transports.channel import Call, Contract, Reply
from cloudserve.client.transports.rest import Rest
from cloudserve.errors import LostAnswerError, RemoteError, UserError
from cloudserve.registry import needs_extra

_JSON = {"Content-Type": "application/json"}
_IDLE_SECONDS = 20.0
"""Less than servers and load balancers keep an idle connection."""


class HttpChannel:
    """REST for threads."""

    def __init__(self, address: ServerAddress, access: Access) -> None:
        self.wire = Rest(address)
        self._access = access
        self._client = _client("Client", address, access)

    def describe(self, version: str, seconds: float) -> Contract | None:
        """Read `/metadata`; see Channel."""
        answer = self._exchange("GET", self.wire.url(version, "/metadata"), None, seconds)
        return self.wire.read_contract(*answer)

    def confirm(self, version: str) -> bool:
        """Return True: the signatures are the server's own."""
        del version
        return True

    def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Send a prediction; see Channel."""
        url = self.wire.url(call.version, ":predict")
        return self.wire.decode(call, *self._exchange("POST", url, request, seconds))

    def send_json(self, body: bytes, version: str, seconds: float) -> bytes:
        """Send a JSON request unchanged, and return the answer unchanged."""
        url = self.wire.url(version, ":predict")
        return self.wire.accepted(*self._exchange("POST", url, body, seconds))

    def close(self) -> None:
        """Close the pool."""
        self._client.close()

    def _exchange(
        self, method: str, url: str, body: bytes | None, seconds: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {**self._access.headers_now(), **(_JSON if body is not None else {})}
        deadline = Deadline(seconds)
        with _translated(url, seconds):
            # httpx limits the time of each read; a slow answer is also limited as a whole.
            with self._client.stream(
                method, url, content=body, headers=headers, timeout=seconds
            ) as answer:
                chunks = [chunk for chunk in answer.iter_bytes() if deadline.check(url)]
            return answer.status_code, answer.headers, b"".join(chunks)


class AsyncHttpChannel:
    """REST for an event loop."""

    def __init__(self, address: ServerAddress, access: Access) -> None:
        self.wire = Rest(address)
        self._access = access
        self._client = _client("AsyncClient", address, access)

    async def describe(self, version: str, seconds: float) -> Contract | None:
        """Read `/metadata`; see Channel."""
        answer = await self._exchange("GET", self.wire.url(version, "/metadata"), None, seconds)
        return self.wire.read_contract(*answer)

    async def confirm(self, version: str) -> bool:
        """Return True: the signatures are the server's own."""
        del version
        return True

    async def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Send a prediction; see Channel."""
        url = self.wire.url(call.version, ":predict")
        return self.wire.decode(call, *await self._exchange("POST", url, request, seconds))

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()

    async def _exchange(
        self, method: str, url: str, body: bytes | None, seconds: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {**self._access.headers_now(), **(_JSON if body is not None else {})}
        with _translated(url, seconds):
            async with asyncio.timeout(seconds):
                answer = await self._client.request(
                    method, url, content=body, headers=headers, timeout=seconds
                )
            return answer.status_code, answer.headers, answer.content


@needs_extra("the client of servers", "client")
def _client(kind: str, address: ServerAddress, access: Access) -> Any:
    import httpx

    verify = access.ssl_context() if address.is_secure else False
    limits = httpx.Limits(keepalive_expiry=_IDLE_SECONDS)
    # Proxies and certificates of the environment apply (HTTPS_PROXY, SSL_CERT_FILE).
    try:
        return getattr(httpx, kind)(verify=verify, follow_redirects=False, limits=limits)
    except (ValueError, httpx.InvalidURL) as error:
        raise UserError(
            f"the proxy of the environment cannot be used: {error}",
            where=address.where,
            hint="correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY",
        ) from error


@contextmanager
def _translated(url: str, seconds: float) -> Iterator[None]:
    """Raise httpx's errors as this project's: without a connection nothing was sent."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UserError(
            f"the URL cannot be used: {error}", where=url, hint="check its host and its path"
        ) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise not_connected("server", str(error) or type(error).__name__, url) from error
    except (httpx.TimeoutException, TimeoutError) as error:
        raise LostAnswerError(
            f"no answer within {seconds:.3g} s",
            where=url,
            hint="give more time, or smaller batches",
        ) from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise LostAnswerError(
            f"the connection ended before the answer: {error or type(error).__name__}",
            where=url,
            hint="look at the server's log; the model may have run",
        ) from error
    except httpx.HTTPError as error:
        raise RemoteError(
            f"the request failed: {error}", where=url, hint="check the URL and the server"
        ) from error
