"""The offline clouds on one loopback port: assembly, start and stop.

Requests are distinguished by what the official clients always send: AWS by target
header or credential scope, Google by path. An unknown route is a JSON 404 with a type.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cloudserve.local.interception import Interception
from cloudserve.local.running import forget_running, write_running
from cloudserve.local.servers import EmulateCommand

from ..console.app import ConsoleApi
from ..console.pages import ConsolePages
from ..protocols.middleware.foreign import SameSite, Sites
from ..tasks import to_completion
from ..transport.limits import Limits
from ..transport.shared_port import SharedPort
from ..transport.tls import TlsSource
from ..transport.types import Application
from .assembly.clouds import Clouds
from .assembly.settings import Places, read_settings
from .assembly.shared import DRAIN_SECONDS, Closing
from .aws.protocol.region_check import KnowsRegion, exists
from .background_tasks import BackgroundTasks
from .certificates import server_names
from .console.calls import CallLog
from .console.releasing import Releasing
from .console.view import CloudParts, CloudsView, Stored, fault_changes
from .data_folder import DataFolder
from .faults.answers import refusal
from .faults.app import Faults
from .latency import Latency
from .model_hosting import open_tensorflow
from .offers import Offers
from .permissions import Permissions
from .pointing import SERVICE_ACCOUNT, client_host, client_variables, write_credentials
from .renewal import RenewedAuthority, RenewedCertificate
from .router import Router, Service
from .vertex.endpoints import DEDICATED_DOMAIN
from .vertex.grpc.calls import GoogleMethods

if TYPE_CHECKING:
    from .intercept.interceptor import Interceptor

# SDKs pool connections, and not all retry on a closed one: think of a notebook left for lunch.
_IDLE_SECONDS = 3600.0


class Emulator:
    """The offline clouds as one server.

    `rng` splits traffic between variants. `latency`, by default as the command names it, has the
    clock that is used everywhere. `permissions` are by default those of the command, and
    `knows_region` returns whether AWS has a region. Requests for hosts other than loopback ones
    and the allowed ones, and requests of other sites' web pages, are refused.
    """

    def __init__(
        self,
        command: EmulateCommand,
        *,
        rng: random.Random | None = None,
        latency: Latency | None = None,
        permissions: Permissions | None = None,
        knows_region: KnowsRegion = exists,
    ) -> None:
        self._command = command
        self._settings = read_settings(
            command, rng=rng, latency=latency, permissions=permissions, knows_region=knows_region
        )
        self._folder = DataFolder(command.data)
        self._sites = Sites((*self._settings.hosts, DEDICATED_DOMAIN))
        self._token = secrets.token_urlsafe(16)
        self._console: tuple[ConsoleApi, Releasing] | None = None
        self._closing = Closing()
        self._server: SharedPort | None = None
        self._services: tuple[Service, ...] = ()
        self._interceptor: Interceptor | None = None

    @property
    def is_stuck(self) -> bool:
        """Return whether a load or a run continued after `stop`."""
        return self._closing.ending.is_stuck

    @property
    def port(self) -> int:
        """Return the listening port; 0 before the start."""
        return self._server.port if self._server else 0

    @property
    def url(self) -> str:
        """Return the base URL for clients, without a trailing slash."""
        return f"http://{client_host(self._command.host, self._command.allow_hosts)}:{self.port}"

    @property
    def _own_url(self) -> str:
        """Return the base URL for the processes that this emulator starts."""
        return f"http://{client_host(self._command.host)}:{self.port}"

    @property
    def console_url(self) -> str:
        """Return the URL of the console, with the token of its changes; "" if it is off."""
        return f"{self.url}/#token={self._token}" if self._command.console else ""

    def offers(self) -> tuple[Offers, ...]:
        """Return the operations of each service, once started; reads the services' models."""
        return tuple(service.offers for service in self._services)

    async def start(self) -> None:
        """Listen on the port; models of an earlier run load in the background.

        Raises UserError if the port or the data folder is in use, MissingExtraError without a
        cloud's SDK. A failed start leaves nothing running.
        """
        try:
            await self._start()
        except BaseException:
            await self._closing.stack.aclose()
            raise

    async def _start(self) -> None:
        data, closing = self._folder.open(), self._closing.stack
        closing.callback(self._folder.close)
        closing.callback(forget_running, data)
        work = BackgroundTasks()
        places = Places(data, self._credentials, lambda: self._own_url)
        clouds = Clouds(self._settings, places, work, self._closing)
        routes = clouds.routes()
        self._services = tuple(route.service for route in routes if route.service is not None)
        faults = Faults(Router(routes), self._settings.latency.clock, self._settings.faults)
        calls = CallLog(faults) if self._command.console else None
        app = self._guarded(faults, calls, clouds.stored())
        await self._listen(app, GoogleMethods(calls or faults), work)
        clouds.restore()
        work.start("tensorflow", open_tensorflow())
        await to_completion(asyncio.to_thread(write_credentials, self._credentials, self.url))
        if self._command.intercept:
            await self._intercept(calls or faults, data / "intercept")
        running = asyncio.to_thread(write_running, data, self.url, self.environment())
        await to_completion(running)

    async def _listen(
        self, app: Application, methods: GoogleMethods, work: BackgroundTasks
    ) -> None:
        tls = await to_completion(asyncio.to_thread(self._certificate))
        server = SharedPort(
            app,
            methods,
            self._command.host,
            self._command.port,
            limits=Limits(idle_seconds=_IDLE_SECONDS),
            tls=tls,
        )
        await server.start()
        self._server = server
        # The exit stack closes in reverse: requests first, then loads, then their dependencies.
        closing = self._closing
        closing.stack.push_async_callback(closing.ending.end, work.close)
        closing.stack.push_async_callback(methods.close)
        closing.stack.push_async_callback(server.stop, DRAIN_SECONDS)

    def _certificate(self) -> TlsSource:
        """Return a certificate for the names of this emulator. Blocks."""
        authority = RenewedAuthority(self._credentials)
        return RenewedCertificate(authority, server_names(self._settings.hosts))

    def _guarded(self, faults: Faults, calls: CallLog | None, stored: Stored) -> Application:
        """Return the clouds for requests of this site, with the console if calls are kept."""
        app = SameSite(calls or faults, self._sites, refusal)
        if calls is None:
            return app
        variables = partial(client_variables, self._credentials)
        releasing = Releasing(self._command.project, lambda: variables(self.url), lambda: self.url)
        view = CloudsView(CloudParts(stored, calls, faults, lambda: self.url, releasing))
        changes = {**fault_changes(faults), **releasing.changes()}
        api = ConsoleApi(view, app, self._sites, token=self._token, changes=changes)
        self._console = api, releasing
        return ConsolePages(api, has_docs=False)

    async def _intercept(self, app: Application, folder: Path) -> None:
        from .intercept.interceptor import Interceptor

        interceptor = Interceptor(app, folder)
        self._closing.stack.push_async_callback(interceptor.stop, DRAIN_SECONDS)
        await interceptor.start(self._credentials / SERVICE_ACCOUNT)
        self._interceptor = interceptor

    async def stop(self) -> None:
        """Finish requests in flight, stop loading, free the models, release the folder."""
        if self._console:
            await self._console[1].close()
            self._console[0].close()
        await self._closing.stack.aclose()
        self._server = None

    @property
    def _credentials(self) -> Path:
        return self._folder.path / "credentials"

    def environment(self) -> dict[str, str]:
        """Return the variables that point unmodified AWS and Google clients at this emulator.

        With `intercept`, those that lead the clients of one command to its proxy.
        """
        if self._interceptor is not None:
            return dict(self._interceptor.variables(self._own_url))
        return dict(client_variables(self._credentials, self.url))

    def interception(self) -> Interception | None:
        """Return what came through the proxy until now; None without `intercept`."""
        return self._interceptor.report() if self._interceptor else None
