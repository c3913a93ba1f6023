"""The offline AWS, assembled: its services, their routes, and their state after a restart."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.images.rehearsal import Rehearsal
from cloudserve.savedmodel.signature import Signature

from ...monitoring.recording.recorder import Recorder
from ...runtime.options import SessionOptions
from ...transport.types import Head
from ..background_tasks import BackgroundTasks
from ..latency import INSTANT, SYSTEM_CLOCK, Clock, Latency
from ..objects.store.store import ObjectStore
from ..resources import Resources
from ..router import App, Route, Service
from .autoscaling import AutoScaling
from .cloudwatch.endpoint_metrics import EndpointMetrics
from .cloudwatch.metric_store import MetricStore
from .cloudwatch_alarms import Alarms
from .ecr import Registry
from .identity import iam as iam_service
from .identity import sts as sts_service
from .identity.iam import Iam
from .identity.roles import Roles
from .identity.sessions import Sessions
from .identity.sts import Sts
from .logs.operations import Logs
from .logs.store import LogStore
from .logs.streams import ContainerLogs
from .permissions.access import DENIED, Access
from .permissions.needs import (
    Needs,
    deleting,
    of_cloudwatch,
    of_ecr,
    of_logs,
    of_quotas,
    of_runtime,
    of_sagemaker,
    of_scaling,
)
from .protocol.arns import region
from .protocol.json_app import Authorize
from .protocol.region_check import KnowsRegion, RegionCheck, exists
from .protocol.signature_check import (
    Refuse,
    SignatureCheck,
    refuse_query,
    refuse_s3,
    refuse_through,
)
from .protocol.sigv4 import Verifier
from .protocol.unsupported_services import UnsupportedServicesApp, is_aws
from .quotas import Quotas
from .runtime.app import RuntimeApp, is_runtime
from .runtime.async_invocations import AsyncInvocations
from .runtime.data_capture import DataCapture
from .runtime.invoker import Invoker, Outlets
from .runtime.notifications import Notifications
from .sagemaker.app import sagemaker
from .sagemaker.components.deployer import ComponentDeployer
from .sagemaker.components.table import ComponentTable
from .sagemaker.containers.pool import ContainerPool, Variables
from .sagemaker.endpoints.endpoints import Endpoints
from .sagemaker.endpoints.rollout import Rollout
from .sagemaker.endpoints.scalable_targets import ScalableTargets
from .sagemaker.endpoints.table import EndpointTable
from .sagemaker.image_manifests import ImageManifests
from .sagemaker.records import Records
from .sagemaker.s3_files import S3Files
from .sagemaker.transform.jobs import TransformJobs
from .sns import operations as sns_service
from .sns.operations import Sns
from .sns.topics import Topics


@dataclass(frozen=True, slots=True)
class AwsParts:
    """The components that the offline AWS is built from."""

    resources: Resources
    store: ObjectStore
    s3: Service
    takes_s3: Callable[[Head], bool]
    folder: Path
    """Where model trees are extracted; emptied at the start."""
    logs: Path
    """The database of CloudWatch Logs."""
    executor: Executor
    work: BackgroundTasks
    rng: random.Random
    variables: Variables
    """The platform's environment variables in the containers of a region."""
    latency: Latency = INSTANT
    """How long operations take. Its clock also dates resources and paces updates."""
    timeout_clock: Clock = SYSTEM_CLOCK
    """Measures request timeouts. A clock that jumps would cut requests off."""
    install_requirements: bool = False
    session: SessionOptions | None = None
    rehearsals: Mapping[str, Rehearsal] = field(default_factory=dict)
    """The commands that replace images, by image."""
    keys: Mapping[str, str] | None = None
    """Secrets by access key; requests must be signed by one of them. None accepts any request."""
    recorder: Recorder | None = None
    """Records what the containers' models answer."""
    knows_region: KnowsRegion = exists
    """Returns whether a region exists."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """How many instances of a type the endpoints of a region may have."""

    @property
    def roles(self) -> Roles:
        """Return the account's roles."""
        return Roles(self.resources, lambda: self.latency.clock.now().timestamp())

    @property
    def sessions(self) -> Sessions:
        """Return the sessions of assumed roles."""
        return Sessions(self.resources, self.roles)

    access: Access = field(default_factory=Access)
    """What callers may do."""


class OfflineAws:
    """The AWS services and their state."""

    def __init__(self, parts: AwsParts) -> None:
        clock = parts.latency.clock
        records = Records(parts.resources, lambda: clock.now().timestamp(), tuple(parts.rehearsals))
        self._parts = parts
        self._logs = LogStore(parts.logs, records.now)
        logs = ContainerLogs(self._logs)
        self._pool = ContainerPool(
            parts.store,
            parts.folder,
            parts.executor,
            parts.variables,
            session=parts.session,
            install_requirements=parts.install_requirements,
            rehearsals=parts.rehearsals,
            recorder=parts.recorder,
            logs=logs,
        )
        self._pool.prepare()
        self._metrics = MetricStore(records.now)
        self._alarms = Alarms(parts.resources, self._metrics, clock)
        self._scalable = ScalableTargets(parts.resources)
        self._scaling = AutoScaling(
            self._scalable, EndpointTable(records), ComponentTable(records), records.now
        )
        rollout = Rollout(records, self._pool, self._alarms, parts.latency)
        self._quotas = Quotas(EndpointTable(records), parts.limits)
        self._endpoints = Endpoints(
            records,
            self._pool,
            self._alarms,
            parts.work,
            rollout,
            parts.latency,
            quotas=self._quotas,
        )
        self._records = records
        files = S3Files(parts.store)
        capture = DataCapture(files, parts.rng)
        outlets = Outlets(capture, EndpointMetrics(self._metrics))
        self._deployer = ComponentDeployer(
            records, self._pool, parts.work, parts.latency, self._quotas
        )
        self._invoker = Invoker(
            self._endpoints,
            self._pool,
            self._deployer,
            outlets,
            rng=parts.rng,
            clock=clock,
            timeout_clock=parts.timeout_clock,
        )
        self._transforms = TransformJobs(
            records, self._pool, files, parts.work, parts.latency, logs
        )
        self._topics = Topics(parts.resources, parts.logs.parent / "sns", records.now)
        self._async_invocations = AsyncInvocations(
            records, self._invoker, files, parts.work, clock, Notifications(self._topics)
        )

    def signatures(self, key: str) -> Mapping[str, Signature]:
        """Return the signatures of a variant, by its deployment and name; {} if unknown."""
        return self._pool.signatures(key)

    def routes(self) -> tuple[Route, ...]:
        """Return the services' routes, in the order to try them."""
        parts = self._parts
        images = ImageManifests(parts.resources)
        registry = Registry(parts.resources, images, self._records.now)
        ecr = registry.app(self._authorize(of_ecr))
        control = sagemaker(
            self._records,
            parts.store,
            images,
            self._endpoints,
            self._transforms,
            self._deployer,
            authorize=self._authorize(deleting(self._scalable.is_scaled, of_sagemaker)),
        )
        # CloudWatch answers with the codes of its older protocol.
        cloudwatch = self._alarms.app(self._authorize(of_cloudwatch, "AccessDenied"))
        scaling = self._scaling.app(self._authorize(of_scaling))
        quotas = self._quotas.app(self._authorize(of_quotas))
        log_groups = Logs(self._logs).app(self._authorize(of_logs))
        runtime = RuntimeApp(self._invoker, self._async_invocations, self._authorize(of_runtime))
        iam = Iam(parts.roles, parts.access).app()
        sns = Sns(self._topics, parts.access).app()
        sts = Sts(parts.roles, parts.sessions, parts.access, self._records.now).app()
        return (
            # A scope names S3, whatever a bucket's name is: `endpoints` is also the runtime's path.
            self._route(parts.takes_s3, parts.s3, "s3", refuse_s3),
            self._route(control.takes, control, "sagemaker", refuse_through(control)),
            self._route(cloudwatch.takes, cloudwatch, "monitoring", refuse_through(cloudwatch)),
            self._route(log_groups.takes, log_groups, "logs", refuse_through(log_groups)),
            self._route(ecr.takes, ecr, "ecr", refuse_through(ecr)),
            self._route(scaling.takes, scaling, "application-autoscaling", refuse_through(scaling)),
            self._route(quotas.takes, quotas, "servicequotas", refuse_through(quotas)),
            self._route(is_runtime, runtime, "sagemaker", refuse_through(runtime)),
            self._route(sts.takes, sts, "sts", refuse_query(sts_service.NAMESPACE)),
            self._route(iam.takes, iam, "iam", refuse_query(iam_service.NAMESPACE)),
            self._route(sns.takes, sns, "sns", refuse_query(sns_service.NAMESPACE)),
            Route(is_aws, UnsupportedServicesApp()),
        )

    def _authorize(self, needs: Needs, kind: str = DENIED) -> Authorize:
        """Return the check of a service's permissions."""
        access = self._parts.access
        return lambda head, operation, body: access.check(
            head, needs(operation, region(head), body), kind
        )

    def _route(
        self, takes: Callable[[Head], bool], offered: Service, service: str, refuse: Refuse
    ) -> Route:
        """Return an app's route, behind the checks of regions and, with keys, of signatures."""
        parts = self._parts
        app: App = offered
        if parts.keys is not None:
            verifier = Verifier(parts.keys, parts.latency.clock.now)
            app = SignatureCheck(app, service, verifier, refuse)
        checked = RegionCheck(app, service, refuse, parts.knows_region)
        return Route(takes, checked, offered)

    def restore(self) -> None:
        """Resume the work that an earlier process left."""
        self._endpoints.restore()
        self._deployer.restore()
        self._async_invocations.restore()
        self._transforms.restore()

    async def close(self) -> None:
        """Stop every container, and close the log of their last lines."""
        await self._invoker.close()
        await self._pool.close()
        self._logs.close()
