"""Google's services, assembled: their routes, and their state after a restart."""

from __future__ import annotations

from collections.abc import Callable

from ...transport.types import Head
from ..google.ai_platform.app import AiPlatform, is_ml
from ..google.authentication import Authenticated, Tokens
from ..google.identity.iam_credentials import IamCredentials, is_iam_credentials
from ..google.identity.resource_manager import ResourceManager, is_resource_manager
from ..google.identity.token_exchange import TokenExchange, is_token_exchange
from ..google.logging.app import CloudLogging, is_logging
from ..google.logging.containers import ContainerLogs
from ..google.metadata_server import MetadataServer, is_metadata
from ..google.monitoring.app import CloudMonitoring, is_monitoring
from ..google.monitoring.endpoint_metrics import EndpointMetrics
from ..google.monitoring.store import MetricStore
from ..google.oauth import OAuth, is_token
from ..google.service_account import EMAIL, AccountKey
from ..objects.gcs.app import GcsApp
from ..objects.routing import is_gcs
from ..pointing import SERVICE_ACCOUNT, google_variables
from ..router import Route, Service, route_of
from ..vertex.app import VertexAi, VertexParts, is_vertex
from .settings import Places, Settings
from .shared import Shared


class GoogleServices:
    """The services of Google Cloud and their state."""

    def __init__(self, settings: Settings, shared: Shared, places: Places) -> None:
        self._settings = settings
        self._entries = shared.entries
        self._denied = settings.permissions.google
        self._tokens = Tokens(places.credentials / SERVICE_ACCOUNT)
        self._metrics = MetricStore(settings.now)
        self._ai_platform = AiPlatform(
            shared.resources,
            shared.gcs,
            shared.hosting,
            shared.work,
            shared.inference,
            settings.latency,
        )
        self._vertex = VertexAi(self._vertex_parts(shared, places))
        self.storage = GcsApp(
            shared.gcs,
            account=EMAIL,
            denies=self._denied.covers,
            verify=AccountKey(places.credentials).verify,
            now=settings.now,
        )

    def _vertex_parts(self, shared: Shared, places: Places) -> VertexParts:
        settings = self._settings
        return VertexParts(
            resources=shared.resources,
            store=shared.gcs,
            hosting=shared.hosting,
            work=shared.work,
            inference=shared.inference,
            latency=settings.latency,
            rng=settings.rng,
            folder=places.data / "vertex",
            metrics=EndpointMetrics(self._metrics),
            logs=ContainerLogs(shared.entries, settings.now),
            denied=self._denied,
            rehearsals=settings.command.rehearsals,
            variables=lambda: google_variables(places.credentials, places.own_url()),
        )

    def routes(self) -> tuple[Route, ...]:
        """Return the services' routes, in the order to try them."""
        denied, entries, now = self._denied, self._entries, self._settings.now
        return (
            self._checked(is_vertex, self._vertex),
            self._checked(is_resource_manager, ResourceManager(denied)),
            self._checked(is_monitoring, CloudMonitoring(self._metrics, denied)),
            self._checked(is_logging, CloudLogging(entries, now, denied)),
            self._checked(is_ml, self._ai_platform),
            # Google's client of Cloud Storage sends no credentials to STORAGE_EMULATOR_HOST.
            route_of(is_gcs, self.storage),
            *self._token_routes(),
        )

    def _token_routes(self) -> tuple[Route, ...]:
        tokens, now = self._tokens, self._settings.now
        metadata = (Route(is_metadata, MetadataServer(tokens)),)
        return (
            Route(is_token, OAuth(tokens, checks=self._settings.is_strict)),
            route_of(is_token_exchange, TokenExchange(tokens, now)),
            self._checked(is_iam_credentials, IamCredentials(tokens, now, self._denied)),
            *(metadata if self._settings.command.intercept else ()),
        )

    def _checked(self, takes: Callable[[Head], bool], service: Service) -> Route:
        """Return the route of a service, which checks tokens if callers must have one."""
        if not self._settings.is_strict:
            return route_of(takes, service)
        return Route(takes, Authenticated(service, self._tokens, service.offers.service), service)

    def restore(self) -> None:
        """Resume the work that an earlier process left."""
        self._ai_platform.restore()
        self._vertex.restore()
