"""The offline AWS, put together: its faces, and what it takes up after a restart."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.rehearsal import Rehearsal

from ...runtime.options import SessionOptions
from ...transport.types import Head
from ..background_tasks import BackgroundTasks
from ..latency import INSTANT, SYSTEM_CLOCK, Clock, Latency
from ..objects.store.store import ObjectStore
from ..resources import Resources
from ..router import App, Route
from .cloudwatch_alarms import Alarms
from .protocol.arns import scope
from .protocol.signature_check import Refuse, Signed, refuse_query, refuse_s3, refuse_through
from .protocol.sigv4 import Verifier
from .protocol.unsupported_services import Elsewhere, is_aws
from .runtime.app import Runtime, is_runtime
from .runtime.async_invocations import AsyncInvocations
from .runtime.data_capture import DataCapture
from .runtime.invoker import Invoker
from .sagemaker.app import sagemaker
from .sagemaker.container_pool import Fleet, Variables
from .sagemaker.endpoints import Endpoints
from .sagemaker.records import Records
from .sagemaker.rollout import Rollout
from .sagemaker.s3_files import S3Files
from .sagemaker.transform.jobs import TransformJobs
from .sts import XMLNS, Sts


@dataclass(frozen=True, slots=True)
class AwsParts:
    """What the offline AWS is built on."""

    resources: Resources
    store: ObjectStore
    s3: App
    takes_s3: Callable[[Head], bool]
    folder: Path
    """Where model trees are laid out; emptied at the start."""
    executor: Executor
    work: BackgroundTasks
    chance: random.Random
    variables: Variables
    """What the platform sets in the containers of a region."""
    latency: Latency = INSTANT
    """How long operations take; its clock is what updates wait by and what times are told by."""
    patience: Clock = SYSTEM_CLOCK
    """What the time limits of requests are measured by: a clock that jumps would cut them off."""
    install_requirements: bool = False
    session: SessionOptions | None = None
    rehearsals: Mapping[str, Rehearsal] = field(default_factory=dict)
    """The commands that run in the place of images, by image."""
    keys: Mapping[str, str] | None = None
    """The access keys and their secrets that requests have to be signed by; None: any or none."""


class OfflineAws:
    """The faces of the AWS services."""

    def __init__(self, parts: AwsParts) -> None:
        clock = parts.latency.clock
        records = Records(parts.resources, lambda: clock.now().timestamp(), tuple(parts.rehearsals))
        self._parts = parts
        self._fleet = Fleet(
            parts.store,
            parts.folder,
            parts.executor,
            parts.variables,
            session=parts.session,
            install_requirements=parts.install_requirements,
            rehearsals=parts.rehearsals,
        )
        self._fleet.prepare()
        self._alarms = Alarms(parts.resources, records.now)
        rollout = Rollout(records, self._fleet, self._alarms, parts.latency)
        self._endpoints = Endpoints(
            records, self._fleet, self._alarms, parts.work, rollout, parts.latency
        )
        self._records = records
        files = S3Files(parts.store)
        capture = DataCapture(files, parts.chance)
        self._invoker = Invoker(
            self._endpoints, self._fleet, capture, parts.chance, clock, parts.patience
        )
        self._transforms = TransformJobs(records, self._fleet, files, parts.work, parts.latency)
        self._later = AsyncInvocations(records, self._invoker, files, parts.work, clock)

    def routes(self) -> tuple[Route, ...]:
        """Return the services and which requests are theirs, in the order to be asked."""
        parts = self._parts
        control = sagemaker(self._records, parts.store, self._endpoints, self._transforms)
        cloudwatch = self._alarms.face()
        runtime = Runtime(self._invoker, self._later)
        sts = Sts()
        return (
            self._route(control.takes, control, "sagemaker", refuse_through(control)),
            self._route(cloudwatch.takes, cloudwatch, "monitoring", refuse_through(cloudwatch)),
            self._route(is_runtime, runtime, "sagemaker", refuse_through(runtime)),
            self._route(parts.takes_s3, parts.s3, "s3", refuse_s3),
            self._route(_is_sts, sts, "sts", refuse_query(XMLNS)),
            Route(is_aws, Elsewhere()),
        )

    def _route(
        self, takes: Callable[[Head], bool], face: App, service: str, refuse: Refuse
    ) -> Route:
        """Return a face's route, behind a check of signatures where keys are known."""
        if self._parts.keys is None:
            return Route(takes, face)
        verifier = Verifier(self._parts.keys, self._parts.latency.clock.now)
        return Route(takes, Signed(face, service, verifier, refuse))

    def restore(self) -> None:
        """Take up what an earlier process left."""
        self._endpoints.restore()
        self._later.restore()
        self._transforms.restore()

    async def close(self) -> None:
        """Stop every container."""
        await self._invoker.close()
        await self._fleet.close()


def _is_sts(head: Head) -> bool:
    found = scope(head)
    return found is not None and found.service == "sts"
