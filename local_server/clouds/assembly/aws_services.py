"""The offline AWS, with what it shares with the other clouds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ..aws.assembly import AwsParts, OfflineAws
from ..aws.identity.execution_role import provide_execution_role
from ..aws.identity.roles import Roles
from ..aws.identity.sessions import SessionKeys, Sessions
from ..aws.permissions.access import Access
from ..aws.protocol.form_signatures import check_form
from ..objects.routing import is_s3
from ..objects.s3.app import S3App
from ..objects.s3.callers.anonymous import Checks
from ..objects.s3.callers.posted import unchecked
from ..pointing import container_variables
from .settings import Places, Settings
from .shared import Shared


class AwsServices:
    """The services of AWS and their state."""

    def __init__(self, settings: Settings, shared: Shared, places: Places) -> None:
        self._settings = settings
        self._places = places
        sessions = self._sessions(shared)
        access = replace(settings.permissions.aws, callers=sessions.caller)
        self._keys = SessionKeys(settings.keys, sessions) if settings.keys else None
        self.storage = S3App(shared.s3, refusals=access.of_s3, checks=self._storage_checks())
        self.offline = OfflineAws(self._parts(shared, access))

    def _sessions(self, shared: Shared) -> Sessions:
        """Return the sessions of callers, with that of a command whose requests are intercepted."""
        settings, roles = self._settings, Roles(shared.resources, self._settings.now)
        sessions = Sessions(shared.resources, roles)
        if settings.command.intercept:
            provide_execution_role(roles, sessions, settings.permissions.documents)
        return sessions

    def _storage_checks(self) -> Checks:
        settings = self._settings
        form = partial(check_form, self._keys) if self._keys else unchecked
        return Checks(
            anonymous=False, form=form, knows_region=settings.knows_region, now=settings.now
        )

    def _parts(self, shared: Shared, access: Access) -> AwsParts:
        settings, command, data = self._settings, self._settings.command, self._places.data
        return AwsParts(
            resources=shared.resources,
            store=shared.s3,
            s3=self.storage,
            takes_s3=is_s3,
            folder=data / "containers",
            logs=data / "cloudwatch-logs.db",
            executor=shared.executor,
            work=shared.work,
            rng=settings.rng,
            variables=self._variables,
            latency=settings.latency,
            install_requirements=command.install_requirements,
            session=settings.session,
            rehearsals=command.rehearsals,
            keys=self._keys,
            access=access,
            knows_region=settings.knows_region,
            limits=settings.limits,
            recorder=shared.recorder,
        )

    def _variables(self, region: str) -> Mapping[str, str]:
        own = container_variables(self._places.own_url(), region)
        return {**self._settings.command.container_variables, **own}
