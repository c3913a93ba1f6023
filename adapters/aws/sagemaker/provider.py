"""SageMaker real-time endpoints as a Provider.

A model is one endpoint. A revision is a SageMaker Model and, while it is on the endpoint, a
variant of it; the variants' weights are the traffic. The live and the new revision share the
endpoint; other variants are removed, because their instances cost money. Serverless, asynchronous
and guarded endpoints serve one revision at a time (`planning/single_revision.py`), and many models
may share an endpoint (`multi_model`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cloudserve.doctor.result import Result
from cloudserve.errors import UserError
from cloudserve.known.tape import Tape
from cloudserve.logs.contract import LogLine, LogQuery
from cloudserve.predict.batch import Batch, BatchResult
from cloudserve.project import Target
from cloudserve.release.calling import CallExample
from cloudserve.release.capacity import Stage
from cloudserve.release.destination import Destination
from cloudserve.release.provider import (
    Approval,
    Hold,
    PlatformAnswer,
    Provider,
    Setting,
    TrafficCounts,
)
from cloudserve.release.types import Action, Artifact, Location, Reading, Revision
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.events import Reporter

from ...actions import typed
from ...options import bucket_name, parse_options, value_of
from ...own_image import check_rehearse
from ...ownership import FIELD, Ownership, ownership
from ...polling import Poller
from ..s3.store import S3Blobs
from ..session import Access
from .actions.executor import Performer, Scaling
from .actions.steps import (
    CreateArchive,
    DeregisterScaling,
    RegisterPackage,
    RegisterScaling,
    SetTags,
    Step,
)
from .api.calls import SageMaker
from .context import AwsContext
from .diagnosis import diagnose
from .drift.settings import find_settings
from .fields.extra import check_extra
from .fields.options import Options
from .fields.rules import check_options
from .inference.asynchronous import AsyncInvocations
from .inference.batch_transform import Transforms
from .inference.call_example import call_example
from .inference.logs import read_logs
from .model_files.archive import Archives, archive_key
from .model_registry import Packages
from .multi_model.provider import MultiModelEndpoint
from .ownership import Owned
from .planning.autoscaling import ScalingPlanner
from .planning.capacity import stages
from .planning.checks import check, check_body, largest_body
from .planning.other_uses import check_unused
from .planning.planner import Planner
from .planning.single_revision import StagedPlanner
from .planning.tag_changes import tag_changes
from .planning.undeploy import Leftovers, Removal
from .records import ONLY, model_name, without_underscores
from .snapshot import SnapshotReader, snapshot_of

ARN_COLONS = 5
"""`arn:aws:iam::ACCOUNT:role/NAME`: the account is between the fourth and the fifth."""


def create(target: Target, environ: Mapping[str, str]) -> Provider:
    """Make the provider of a target, without network access.

    Raises ProjectError for a wrong field.
    """
    options = parse_options(target, Options, environ)
    check_rehearse(target, options.image)
    name = bucket_name(target, options.bucket, "s3")
    image = check_options(options, target.where_of)
    check_extra(options.extra, target.where_of)
    access = Access(environ, options.region, options.profile)
    blobs = S3Blobs(name, region=options.region, access=access)
    # Changes of weights are quick; what takes longer is asked ever less often.
    poller = Poller(options.timeout_seconds, first=0.05)
    kind = MultiModelEndpoint if options.multi_model else SageMakerEndpoints
    names = _names(target, options, name, environ)
    api = SageMaker(access)
    return kind(
        AwsContext(
            names,
            options,
            image,
            api,
            blobs,
            poller,
            Owned(api, names, options.tags),
            target.where_of,
        )
    )


def _names(target: Target, options: Options, bucket: str, environ: Mapping[str, str]) -> Ownership:
    """Return what the target owns; its account is that of its role, which is passed within one."""

    def place(of: Target) -> tuple[str, ...]:
        fields = ("region", "role_arn", "multi_model")
        region, role, many = (value_of(of, Options, name, environ) for name in fields)
        account = role.split(":")[4] if role.count(":") >= ARN_COLONS else ""
        return region, account, many

    if options.multi_model:
        name, field = options.multi_model, "multi_model"
    else:
        name, field = options.endpoint_name, FIELD
    return ownership(
        target, bucket, name, field=field, place=place, fold=without_underscores, encode=str
    )


class SageMakerEndpoints:
    """One target on SageMaker."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context
        kind = StagedPlanner if context.options.staged else Planner
        self._planner = kind(context)
        self._performer = Performer(context)
        self._reader = SnapshotReader(context)
        self._packages = Packages(context)
        self._removal = Removal(context)
        self._leftovers = Leftovers(context, self._packages)
        self._scaling_planner = ScalingPlanner(context)
        self._scaling = Scaling(context)
        self._archives = Archives(context.blobs)

    @property
    def blobs(self) -> BlobStore:
        """Return the target's bucket."""
        return self._aws.blobs

    def destination(self) -> Destination:
        """Return the AWS account that the calls reach, or the offline clouds."""
        return self._aws.api.destination(self._aws.options.region)

    def record(self, tape: Tape) -> None:
        """Send all reads through a tape."""
        self._aws.api.record(tape)
        self._aws.owned.forget()

    def credentials(self) -> str:
        """Return the name of the caller's credentials on this machine; "" if they have none."""
        return self._aws.api.credentials

    def lock_name(self, model: str) -> str:
        """Return what a release's lock protects: the endpoint in its region."""
        return f"sagemaker/{self._aws.options.region}/{self._aws.names.endpoint(model).lower()}"

    def read(self, model: str) -> Reading:
        """Read the endpoint, its configuration, and the model's SageMaker Models by their tags.

        Raises ConflictError for an endpoint of that name that is another owner's, or another
        model's.
        """
        return self._reader.read(model)

    def check(self, artifact: Artifact) -> tuple[str, ...]:
        """Compare a model and the target's fields with SageMaker's limits, bucket, alarms, image.

        Raises UserError for what SageMaker would refuse.
        """
        return check(artifact, self._aws)

    def plan_deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Plan a SageMaker Model, of an archive where it needs one, and an endpoint with it.

        Raises ConflictError if another owner has a SageMaker Model of its name.
        """
        model, snapshot = reading.deployment.model, snapshot_of(reading)
        tagged = snapshot.models.get(revision.id)
        if tagged is not None and reading.deployment.find(revision.id) is None:
            self._aws.owned.check_model(model, tagged.record, tagged.tags)
        actions = self._planner.deploy(reading, revision, location)
        archived, key = self._aws.options.archived, archive_key(location)
        archive = self._archives.plan(location, key) if archived else ()
        endpoints = (snapshot.endpoint, *snapshot.staging.values())
        tags = tag_changes(self._aws, model, endpoints, snapshot.models.values(), actions)
        actions = self._scaling_planner.around(model, snapshot.endpoint, actions)
        return (*archive, *actions, *tags, *self._packages.plan(model, revision, location))

    def plan_traffic(
        self, reading: Reading, revision_id: str, percent: int = 100
    ) -> tuple[Action, ...]:
        """Plan new weights; a revision that was taken off the endpoint is put on it again.

        Raises CheckFailedError for a revision that the target's package group rejected.
        """
        self._packages.check(reading.deployment, revision_id)
        actions = self._planner.traffic(reading, revision_id, percent)
        model, endpoint = reading.deployment.model, snapshot_of(reading).endpoint
        return self._scaling_planner.around(model, endpoint, actions)

    def plan_undeploy(
        self, reading: Reading, revision_ids: tuple[str, ...] | None
    ) -> tuple[Action, ...]:
        """Plan to remove revisions from the endpoint, or the whole model."""
        actions = self._removal.plan(reading, revision_ids)
        model, endpoint = reading.deployment.model, snapshot_of(reading).endpoint
        return self._scaling_planner.around(model, endpoint, actions)

    def check_unused(self, actions: tuple[Action, ...]) -> tuple[str, ...]:
        """Raise ConflictError if an endpoint of others uses what the actions delete."""
        return check_unused(self._aws.api, actions)

    def holds(self, reading: Reading) -> Mapping[str, Hold]:
        """Return why revisions stay: the tag `cloudserve-keep`, a use elsewhere, a package."""
        return self._leftovers.holds(reading)

    def plan_leftovers(self, reading: Reading, going: tuple[str, ...]) -> tuple[Action, ...]:
        """Plan to delete endpoint configurations that no endpoint of the region uses."""
        return self._leftovers.plan(reading, going)

    def settings(self, reading: Reading) -> tuple[Setting, ...]:
        """Compare machines, counts, image, environment, role and capture with the target's."""
        return tuple(find_settings(self._aws, reading))

    def machines(self, reading: Reading, actions: tuple[Action, ...]) -> Sequence[Stage]:
        """Return the instances of the model's endpoints, during and after each action."""
        snapshot, deployment = snapshot_of(reading), reading.deployment
        base = self._aws.names.endpoint(deployment.model)
        endpoints = (snapshot.endpoint, *snapshot.staging.values())
        return stages(deployment, endpoints, base, actions)

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action and wait until the endpoint is in service."""
        step: Step = typed(action, Step, "sagemaker")
        match step:
            case RegisterPackage():
                self._packages.register(step, reporter)
            case RegisterScaling() | DeregisterScaling():
                self._scaling.perform(step, reporter)
            case CreateArchive():
                self._archives.make(step, reporter)
            case SetTags():
                self._aws.owned.change_tags(step)
            case _:
                self._performer.perform(step, reporter)

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Invoke the endpoint, by its weights or with one revision's variant.

        On a staged target a revision that is not live is asked at its own endpoint. Raises
        UserError for a request that is too large, or a revision without an endpoint, ConflictError
        for an endpoint of another owner.
        """
        check_body(body, self._aws.options)
        self._aws.owned.check_reader(model)
        name, variant = self._aws.names.endpoint(model), revision_id
        if self._aws.options.staged:
            name, variant = self._staging(model, revision_id), None
        if self._aws.options.async_output:
            return AsyncInvocations(self._aws).ask(model, name, body)
        return self._aws.api.runtime.invoke(name, variant, body)

    def ask(
        self, model: str, body: bytes, revision_id: str | None, seconds: float
    ) -> PlatformAnswer:
        """Invoke the endpoint once; the answer names the variant (see AnsweringProvider)."""
        if self._aws.options.async_output:
            return PlatformAnswer(self.predict(model, body, revision_id), revision_id or "")
        check_body(body, self._aws.options)
        self._aws.owned.check_reader(model)
        name, variant = self._aws.names.endpoint(model), revision_id
        if self._aws.options.staged:
            name, variant = self._staging(model, revision_id), None
        target = {"TargetVariant": variant} if variant else {}
        answer, invoked = self._aws.api.runtime.invoke_once(name, target, body, seconds)
        return PlatformAnswer(answer, revision_id or invoked)

    def call_example(self, model: str) -> CallExample | None:
        """Return calls by boto3 and curl; None for asynchronous endpoints, which answer later."""
        name, region = self._aws.names.endpoint(model), self._aws.options.region
        endpoint = self._aws.api.endpoint(name)
        if endpoint is None or self._aws.options.async_output:
            return None
        return call_example(endpoint.arn, name, region, self._aws.api.runtime.url)

    def request_limit(self, model: str) -> int:
        """Return the largest request that the endpoint takes."""
        del model
        return largest_body(self._aws.options)

    def why_not_asked(self, reading: Reading, revision_id: str) -> str:
        """Return why a revision cannot be asked by its variant, or at its own endpoint."""
        if revision_id in reading.deployment.traffic or self._aws.options.staged:
            shadowed = self._aws.options.shadow_percent > 0
            return "a shadow variant's answers are not returned" if shadowed else ""
        return f"{revision_id} is not on the endpoint"

    def server_of(self, model: str, revision_id: str) -> str:
        """Read the image of a revision's SageMaker Model; "" if there is none."""
        record = self._aws.api.model(model_name(self._aws.names.endpoint(model), revision_id))
        container = (record or {}).get("PrimaryContainer", {})
        return str(container.get("Image", ""))

    @property
    def registry(self) -> str:
        """Return the target's model package group, for people; "" without one."""
        return self._packages.name

    def approval(self, model: str, revision: Revision) -> Approval:
        """Read the approval status of the revision's model package."""
        return self._packages.approval(model, revision)

    def count_traffic(
        self, model: str, revision_id: str, since: datetime, until: datetime, slow: float
    ) -> TrafficCounts:
        """Return the invocations of a revision's variant, from CloudWatch."""
        endpoint = self._aws.names.endpoint(model)
        return self._aws.api.metrics.counts(endpoint, revision_id, since, until, slow)

    def latency(
        self, model: str, revision_id: str, since: datetime, until: datetime, percentile: float
    ) -> tuple[float, int]:
        """Return a percentile of a variant's latency, from CloudWatch."""
        endpoint = self._aws.names.endpoint(model)
        return self._aws.api.metrics.latency(endpoint, revision_id, since, until, percentile)

    def check_batch(self, model: str, revision_id: str, batch: Batch) -> None:
        """Raise UserError for batch transform jobs that SageMaker would refuse."""
        Transforms(self._aws).check(model, revision_id, batch)

    def batch(self, model: str, revision_id: str, batch: Batch, reporter: Reporter) -> BatchResult:
        """Run batch transform jobs with a revision, deployed or not, and wait for their end."""
        return Transforms(self._aws).run(model, revision_id, batch, reporter)

    def read_logs(self, model: str, query: LogQuery) -> Sequence[LogLine]:
        """Return the output of the endpoint's containers, or of a transform job's."""
        return read_logs(self._aws, model, query)

    def diagnose(self, models: Sequence[str]) -> Iterable[Result]:
        """Check the endpoint's role, the caller's permissions, and the quota of instances."""
        return diagnose(self._aws, models)

    def _staging(self, model: str, revision_id: str | None) -> str:
        """Return the endpoint that serves a revision."""
        main = self._aws.names.endpoint(model)
        if revision_id is None:
            return main
        endpoint = self._aws.api.endpoint(main)
        if (
            endpoint is not None
            and endpoint.shares.get(ONLY)
            and endpoint.serves(revision_id, main)
        ):
            return main
        name, where = model_name(main, revision_id), f"{model} on {self._aws.names.target}"
        if endpoint is not None and endpoint.shadowed_by(revision_id, main):
            raise UserError(
                f"{revision_id} gets copies of requests, and its answers are not returned",
                where=where,
                hint="look at what is captured (`capture_percent`), or leave `shadow_percent` out",
            )
        if self._aws.api.endpoint(name) is None:
            raise UserError(
                f"{revision_id} is not live, and has no endpoint of its own",
                where=where,
                hint=f"cloudserve deploy {model} --target {self._aws.names.target}, "
                "with its --version",
            )
        return name
