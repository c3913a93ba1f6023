"""The interception of one command: a certificate authority, the proxy and the variables."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from cloudserve.local.interception import Interception

from ...tasks import to_completion
from ...transport.types import Application
from ..certificates import CERTIFICATE
from ..renewal import RenewedAuthority
from ..vertex.grpc.calls import GoogleMethods
from .app import InterceptedApp
from .proxy import Proxy
from .traffic import Traffic
from .variables import intercepting_variables, write_files

DOMAINS = (
    *("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "on.aws"),
    *("api.amazonwebservices.com.cn", "api.amazonwebservices.eu"),
    *("googleapis.com", "prediction.vertexai.goog"),
)
"""The domains of the clouds, which the authority can vouch for, with all names below them."""


class Interceptor:
    """Leads the requests of a command to an application, whose service they name by their host."""

    def __init__(self, app: Application, folder: Path) -> None:
        """Take the offline clouds and a private folder."""
        self._app = app
        self._folder = folder
        self._traffic = Traffic()
        self._methods = GoogleMethods(InterceptedApp(app, self._traffic))
        self._proxy: Proxy | None = None

    async def start(self, account: Path) -> None:
        """Open the proxy; `account` is the key file of the offline service account.

        Raises UserError if other users can read the authority's key.
        """
        authority = await to_completion(asyncio.to_thread(self._prepare, account))
        proxy = Proxy(self._app, authority, self._traffic, self._methods)
        await proxy.start()
        self._proxy = proxy

    def _prepare(self, account: Path) -> RenewedAuthority:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        authority = RenewedAuthority(self._folder, DOMAINS)
        write_files(self._folder, self._folder / CERTIFICATE, account)
        return authority

    async def stop(self, drain_seconds: float) -> None:
        """Finish the requests in flight, and close the proxy."""
        if self._proxy is not None:
            await self._proxy.stop(drain_seconds)
            await self._methods.close()

    def variables(self, url: str) -> Mapping[str, str]:
        """Return the variables of the command; `url` is the emulator's own URL."""
        proxy = self._proxy.url if self._proxy else ""
        return intercepting_variables(self._folder, self._folder / CERTIFICATE, proxy, url)

    def report(self) -> Interception:
        """Return what came through the proxy until now."""
        return self._traffic.report()
