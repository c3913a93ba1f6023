"""The offline clouds on one loopback port: assembly, start and stop.

Requests are distinguished by what the official clients always send: AWS by target
header or credential scope, Google by path. An unknown route is a JSON 404 with a type.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cloudserve.local.interception import Interception
from cloudserve.local.running import forget_running, write_running
from cloudserve.local.servers import EmulateCommand

from ..console.app import ConsoleApi
from ..console.pages import ConsolePages
from ..inference import Inference
from ..inference.observation import unobserved
from ..models import Manager
from ..monitoring.recording.recorder import Recorder
from ..protocols.middleware.foreign import SameSite, Sites, is_loopback
from ..runtime.loading.denied_ops import read_denied_ops
from ..runtime.options import SessionOptions
from ..runtime.session import load_model
from ..tasks import Ending
from ..transport.limits import Limits
from ..transport.shared_port import SharedPort
from ..transport.tls import TlsSource
from ..transport.types import Application, Head
from .aws.assembly import AwsParts, OfflineAws
from .aws.identity.roles import Roles
from .aws.identity.sessions import Sessions
from .aws.protocol.form_signatures import check_form
from .aws.protocol.region_check import KnowsRegion, exists
from .aws.quotas import read_limits
from .background_tasks import BackgroundTasks
from .certificates import server_names
from .console.calls import CallLog
from .console.endpoint_signatures import EndpointSignatures
from .console.releasing import Releasing
from .console.view import CloudParts, CloudsView, Stored, fault_changes
from .data_folder import DATABASE, DataFolder
from .faults.answers import refusal
from .faults.app import Faults
from .faults.rules import RuleSet, load_rules
from .google.ai_platform.app import AiPlatform, is_ml
from .google.authentication import Authenticated, Tokens
from .google.identity.iam_credentials import IamCredentials, is_iam_credentials
from .google.identity.resource_manager import ResourceManager, is_resource_manager
from .google.identity.token_exchange import TokenExchange, is_token_exchange
from .google.logging.app import CloudLogging, is_logging
from .google.logging.containers import ContainerLogs
from .google.logging.store import EntryStore
from .google.metadata_server import MetadataServer, is_metadata
from .google.monitoring.app import CloudMonitoring, is_monitoring
from .google.monitoring.endpoint_metrics import EndpointMetrics
from .google.monitoring.store import MetricStore
from .google.oauth import OAuth, is_token
from .google.service_account import EMAIL, AccountKey
from .latency import Latency
from .model_hosting import ModelHosting, open_tensorflow
from .objects.form_app import FormApp, is_form
from .objects.gcs.app import GcsApp
from .objects.routing import NamedBucket, is_gcs, is_s3
from .objects.s3.app import S3App
from .objects.s3.callers.anonymous import Checks, Unsigned
from .objects.s3.callers.posted import unchecked
from .objects.store.store import ObjectStore
from .offers import Offers
from .permissions import Permissions, read_permissions
from .pointing import (
    KEYS,
    SERVICE_ACCOUNT,
    client_host,
    client_variables,
    container_variables,
    google_variables,
    write_credentials,
)
from .renewal import RenewedAuthority, RenewedCertificate
from .resources import Resources
from .router import Route, Router, Service, route_of
from .vertex.app import VertexAi, VertexParts, is_vertex
from .vertex.endpoints import DEDICATED_DOMAIN
from .vertex.grpc.calls import GoogleMethods

if TYPE_CHECKING:
    from .intercept.interceptor import Interceptor

# SDKs pool connections, and not all retry on a closed one: think of a notebook left for lunch.
_IDLE_SECONDS = 3600.0
_DRAIN_SECONDS = 5.0


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
        self._folder = DataFolder(command.data)
        self._rng = rng or random.Random()  # noqa: S311 - traffic shares, no secret
        self._latency = latency or Latency.named(command.latency)
        self._rules = load_rules(command.faults) if command.faults else RuleSet()
        self._knows_region = knows_region
        self._permissions = permissions or read_permissions(command.deny, command.policies)
        self._limits = read_limits(command.limits)
        self._session = SessionOptions(denied_ops=read_denied_ops(command.deny_ops))
        self._allowed = (*command.allow_hosts, command.host)
        self._sites = Sites((*self._allowed, DEDICATED_DOMAIN))
        self._token = secrets.token_urlsafe(16)
        self._console: ConsoleApi | None = None
        self._closing = AsyncExitStack()
        self._server: SharedPort | None = None
        self._services: tuple[Service, ...] = ()
        self._ending = Ending()
        self._interceptor: Interceptor | None = None

    @property
    def is_stuck(self) -> bool:
        """Return whether a load or a run continued after `stop`."""
        return self._ending.is_stuck

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
            await self._closing.aclose()
            raise

    async def _start(self) -> None:
        data = self._folder.open()
        self._closing.callback(self._folder.close)
        self._closing.callback(forget_running, data)
        work = BackgroundTasks()
        restorers, routes, stored = self._build(data, work)
        self._services = tuple(route.service for route in routes if route.service is not None)
        faults = Faults(Router(routes), self._latency.clock, self._rules)
        calls = CallLog(faults) if self._command.console else None
        app = self._guarded(faults, calls, stored)
        tls = await asyncio.to_thread(self._certificate)
        methods = GoogleMethods(calls or faults)
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
        self._closing.push_async_callback(self._ending.end, work.close)
        self._closing.push_async_callback(methods.close)
        self._closing.push_async_callback(server.stop, _DRAIN_SECONDS)
        for restore in restorers:
            restore()
        work.start("tensorflow", open_tensorflow())
        await asyncio.to_thread(write_credentials, self._credentials, self.url)
        if self._command.intercept:
            await self._intercept(calls or faults, data / "intercept")
        await asyncio.to_thread(write_running, data, self.url, self.environment())

    def _certificate(self) -> TlsSource:
        """Return a certificate for the names of this emulator. Blocks."""
        authority = RenewedAuthority(self._credentials)
        return RenewedCertificate(authority, server_names(self._allowed))

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
        self._console = api
        return ConsolePages(api, has_docs=False)

    async def _intercept(self, app: Application, folder: Path) -> None:
        from .intercept.interceptor import Interceptor

        interceptor = Interceptor(app, folder)
        self._closing.push_async_callback(interceptor.stop, _DRAIN_SECONDS)
        await interceptor.start(self._credentials / SERVICE_ACCOUNT)
        self._interceptor = interceptor

    def _build(
        self, data: Path, work: BackgroundTasks
    ) -> tuple[tuple[Callable[[], None], ...], tuple[Route, ...], Stored]:
        """Build all parts and register what must be closed on the exit stack. Starts nothing."""
        resources = Resources(data / DATABASE)
        self._closing.callback(resources.close)
        # Two clouds: s3://models and gs://models are different buckets.
        s3 = self._closing.enter_context(ObjectStore(data / "s3"))
        gcs = self._closing.enter_context(ObjectStore(data / "gcs"))
        entries = EntryStore(data / "logging.db")
        self._closing.callback(entries.close)
        executor = ThreadPoolExecutor(os.cpu_count(), "predict")
        self._closing.callback(executor.shutdown, wait=False)
        manager = Manager(partial(load_model, options=self._session))
        self._closing.push_async_callback(self._ending.end, manager.unload_all)
        hosting = ModelHosting(manager, data / "served", self._session)
        hosting.prepare()
        self._closing.push_async_callback(hosting.close)
        recorder = self._make_recorder()
        observer = recorder.observe if recorder else unobserved
        inference = Inference(manager, executor, observer=observer)
        google = AiPlatform(resources, gcs, hosting, work, inference, self._latency)
        metrics = MetricStore(self._now)
        vertex = VertexAi(
            VertexParts(
                resources=resources,
                store=gcs,
                hosting=hosting,
                work=work,
                inference=inference,
                latency=self._latency,
                rng=self._rng,
                folder=data / "vertex",
                metrics=EndpointMetrics(metrics),
                logs=ContainerLogs(entries, self._now),
                denied=self._permissions.google,
                rehearsals=self._command.rehearsals,
                variables=lambda: google_variables(self._credentials, self._own_url),
            )
        )
        roles = Roles(resources, self._now)
        access = replace(self._permissions.aws, callers=Sessions(resources, roles).caller)
        keys = KEYS if self._is_strict else None
        signed = partial(check_form, keys) if keys else unchecked
        checks = Checks(
            anonymous=False, form=signed, knows_region=self._knows_region, now=self._now
        )
        s3_app = S3App(s3, refusals=access.of_s3, checks=checks)
        gcs_app = GcsApp(
            gcs,
            account=EMAIL,
            denies=self._permissions.google.covers,
            verify=AccountKey(self._credentials).verify,
            now=self._now,
        )
        aws = OfflineAws(
            AwsParts(
                resources=resources,
                store=s3,
                s3=s3_app,
                takes_s3=is_s3,
                folder=data / "containers",
                logs=data / "cloudwatch-logs.db",
                executor=executor,
                work=work,
                rng=self._rng,
                variables=self._variables,
                latency=self._latency,
                install_requirements=self._command.install_requirements,
                session=self._session,
                rehearsals=self._command.rehearsals,
                keys=keys,
                access=access,
                knows_region=self._knows_region,
                limits=self._limits,
                recorder=recorder,
            )
        )
        self._closing.push_async_callback(self._ending.end, aws.close)
        tokens, denied = Tokens(self._credentials / SERVICE_ACCOUNT), self._permissions.google
        routes = (
            Route(is_form, FormApp(s3_app.handle_form, gcs_app.handle_form)),
            *aws.routes(),
            self._google(is_vertex, vertex, tokens),
            self._google(is_resource_manager, ResourceManager(denied), tokens),
            self._google(is_monitoring, CloudMonitoring(metrics, denied), tokens),
            self._google(is_logging, CloudLogging(entries, self._now, denied), tokens),
            self._google(is_ml, google, tokens),
            # Google's client of Cloud Storage sends no credentials to STORAGE_EMULATOR_HOST.
            route_of(is_gcs, gcs_app),
            Route(is_token, OAuth(tokens, checks=self._is_strict)),
            route_of(is_token_exchange, TokenExchange(tokens, self._now)),
            self._google(is_iam_credentials, IamCredentials(tokens, self._now, denied), tokens),
            *((Route(is_metadata, MetadataServer(tokens)),) if self._command.intercept else ()),
            Route(Unsigned(s3).takes, s3_app),
            Route(NamedBucket(gcs).takes, gcs_app),
        )
        endpoints = EndpointSignatures(resources, manager, aws.signatures)
        stored = Stored(resources, {"s3": s3, "gs": gcs}, endpoints)
        return (google.restore, vertex.restore, aws.restore), routes, stored

    @property
    def _is_strict(self) -> bool:
        return self._command.auth == "strict" or not is_loopback(self._command.host)

    def _google(self, takes: Callable[[Head], bool], service: Service, tokens: Tokens) -> Route:
        """Return the route of one of Google's APIs, which checks tokens if it is to."""
        if not self._is_strict:
            return route_of(takes, service)
        return Route(takes, Authenticated(service, tokens, service.offers.service), service)

    def _now(self) -> float:
        return self._latency.clock.now().timestamp()

    def _make_recorder(self) -> Recorder | None:
        """Open the files of a recording, which are written to the end before the models go."""
        if self._command.recording is None:
            return None
        recorder = Recorder(self._command.recording)
        self._closing.push_async_callback(asyncio.to_thread, recorder.close, _DRAIN_SECONDS)
        return recorder

    def _variables(self, region: str) -> Mapping[str, str]:
        return {**self._command.container_variables, **container_variables(self._own_url, region)}

    async def stop(self) -> None:
        """Finish requests in flight, stop loading, free the models, release the folder."""
        if self._console:
            self._console.close()
        await self._closing.aclose()
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
