"""Vertex AI as a Provider.

A model is a Vertex AI model and an endpoint of the same id. A revision is a model version, and a
DeployedModel while it is on the endpoint; the endpoint's traffic split says who is live. What has
no traffic is undeployed in the end, because its machines cost money: the version stays in the
registry and is deployed again when it is promoted, without an upload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
    SplitAnswer,
    TrafficCounts,
)
from cloudserve.release.types import (
    Action,
    Artifact,
    Deployment,
    Location,
    Reading,
    Revision,
    State,
)
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.events import Reporter

from ...options import bucket_name, parse_options
from ...own_image import check_rehearse
from ...polling import Poller
from ..call_example import call_example
from ..credentials import Access
from ..gcs.store import GcsBlobs
from ..labels import check_labels
from .actions.executor import Performer
from .api import VertexApi
from .batch import Batches, check_urls
from .container_logs import without_job_logs
from .diagnosis import diagnose
from .fields.extra import check_extra
from .fields.images import Availability, Clock, check_image, utc_now
from .fields.machines import check_replicas, with_accelerator
from .fields.options import Options
from .fields.regions import check_region, known_regions
from .names import Names, names_of
from .planning.capacity import stages
from .planning.checks import check
from .planning.planner import Planner
from .planning.private_endpoint import check_private
from .planning.undeploy import holds, plan_leftovers, plan_removal
from .records import deployed, last_part
from .snapshot import check_endpoint, read_snapshot, snapshot_of

OVERRIDES = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
"""gcloud's variables with the URL of an API, such as `…_MONITORING`; Google's own without it."""
SHARED_REQUEST, DEDICATED_REQUEST = 1_572_864, 10_485_760
"""Bytes of a prediction."""
ANSWER_SECONDS = 120.0
NO_CHOICE = "Vertex AI does not let a request choose among an endpoint's deployments"


def create(target: Target, environ: Mapping[str, str], clock: Clock = utc_now) -> Provider:
    """Make the provider of a target, without network access.

    `clock` decides whether a prebuilt image is still available. Raises ProjectError for a wrong
    field, UserError for a region, a machine or an image that Vertex AI does not have.
    """
    options = parse_options(target, Options, environ)
    check_rehearse(target, options.image)
    name = bucket_name(target, options.bucket, "gs")
    check_image(options, target.where_of("tensorflow_version"))
    check_replicas(options, target.where_of)
    check_labels(options.labels, target.where_of)
    check_private(options, target.where_of)
    options = with_accelerator(options, target.where_of)
    check_extra(options.extra, target.where_of)
    check_region(options.region, known_regions(), target.where_of)
    access = Access(environ)
    blobs = GcsBlobs(
        name,
        project=options.project,
        region=options.region,
        access=access,
        emulator=environ.get("STORAGE_EMULATOR_HOST") or None,
    )
    others = {
        api: environ.get(f"{OVERRIDES}{api.upper()}", "")
        for api in ("cloudresourcemanager", "monitoring", "logging")
    }
    api = VertexApi(options.project, options.region, options.api_endpoint, access, others=others)
    # Uploads and endpoints are often there at once; what takes longer is asked ever less often.
    poller = Poller(options.timeout_seconds, first=0.05)
    available = Availability(target.where_of("tensorflow_version"), clock)
    names = names_of(target, options, name, environ)
    return Vertex(names, options, api, blobs, poller, available)


class Vertex:
    """One target on Vertex AI."""

    def __init__(
        self,
        names: Names,
        options: Options,
        api: VertexApi,
        blobs: GcsBlobs,
        poller: Poller,
        available: Availability,
    ) -> None:
        self._target = names.own.target
        self._names = names
        self._options = options
        self._api = api
        self._blobs = blobs
        self._planner = Planner(names, options, api, available)
        self._performer = Performer(api, poller, names)
        self._batches = Batches(api, options, poller, names)
        self._hosts: dict[str, str] = {}
        self._deployed: dict[str, str] = {}
        """Revisions by the ids of their DeployedModels."""

    @property
    def blobs(self) -> BlobStore:
        """Return the target's bucket."""
        return self._blobs

    def destination(self) -> Destination:
        """Return the Google Cloud project that the calls reach, or the offline clouds."""
        options, storage = self._options, self._blobs.endpoint
        return self._api.destination(storage, options.project, options.region)

    def record(self, tape: Tape) -> None:
        """Send all reads through a tape."""
        self._api.record(tape)

    def lock_name(self, model: str) -> str:
        """Return what a release's lock protects: the endpoint in its project and region."""
        place = f"{self._options.project}.{self._options.region}"
        return f"vertex/{place}/{self._names.endpoint(model)}"

    def read(self, model: str) -> Reading:
        """Read the model's versions and its endpoint.

        `traffic` has an entry for each deployment, 0 for idle ones. Raises ConflictError when the
        platform's names belong to another owner or model.
        """
        snapshot = read_snapshot(self._api, self._names, model)
        endpoint = snapshot.endpoint
        revisions = tuple(deployed(version, endpoint) for version in snapshot.versions)
        if endpoint is None:
            return Reading(Deployment(model, self._target, revisions), snapshot)
        under_way = self._operations_under_way(snapshot.endpoint_id)
        state = State.UPDATING if under_way else State.READY
        reason = f"operation {', '.join(under_way)} is running" if under_way else None
        deployment = Deployment(
            model, self._target, revisions, endpoint.shares, state, reason, endpoint.name
        )
        return Reading(deployment, snapshot)

    def _operations_under_way(self, endpoint_id: str) -> list[str]:
        """Return the operations on the endpoint that are not done, of an interrupted run."""
        every = self._api.operations(self._api.endpoint_name(endpoint_id))
        return [last_part(str(op["name"])) for op in every if not op.get("done")]

    def check(self, artifact: Artifact) -> tuple[str, ...]:
        """Compare a model with the image, the platform's limits and the bucket's place."""
        return check(artifact, self._options, self._blobs)

    def plan_deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Plan the endpoint, the model version and its deployment beside what is live."""
        return self._planner.deploy(reading, revision, location)

    def plan_traffic(
        self, reading: Reading, revision_id: str, percent: int = 100
    ) -> tuple[Action, ...]:
        """Plan a traffic split, the aliases that go with it, and the undeployments after it."""
        return self._planner.traffic(reading, revision_id, percent)

    def plan_undeploy(
        self, reading: Reading, revision_ids: tuple[str, ...] | None
    ) -> tuple[Action, ...]:
        """Plan to undeploy and delete versions, or the endpoint and the model as a whole."""
        return plan_removal(self._api, reading, revision_ids)

    def holds(self, reading: Reading) -> Mapping[str, Hold]:
        """Return why revisions stay: an alias of their version, or another endpoint."""
        return holds(reading)

    def plan_leftovers(self, reading: Reading, going: tuple[str, ...]) -> tuple[Action, ...]:
        """Plan to delete model versions that a newer version of the same revision replaced."""
        return plan_leftovers(reading, going)

    def settings(self, reading: Reading) -> tuple[Setting, ...]:
        """Compare the machines, replicas, account and container of deployments."""
        return tuple(self._planner.settings(reading))

    def machines(self, reading: Reading, actions: tuple[Action, ...]) -> Sequence[Stage]:
        """Return the machines of the endpoint's deployments, after each action."""
        return stages(snapshot_of(reading).endpoint, actions)

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action and wait for its operation."""
        self._performer.perform(action, reporter)

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Ask the endpoint, by its traffic split, for the container's own answer (rawPredict).

        Vertex AI does not let a request choose among an endpoint's deployments: raises UserError
        for a revision that does not have all the traffic, ConflictError for an endpoint of another
        owner.
        """
        return self.ask(model, body, revision_id, ANSWER_SECONDS).body

    def ask(
        self, model: str, body: bytes, revision_id: str | None, seconds: float
    ) -> PlatformAnswer:
        """Ask the endpoint once; the response names what answered (see AnsweringProvider)."""
        if self._options.is_private:
            raise UserError(
                f"the endpoint of {model} answers inside its network alone, and this command asks "
                "the public host",
                where=f"{model} on {self._target}",
                hint="ask from inside the network, or `cloudserve serve` for the same answers here",
            )
        if revision_id is not None:
            self._check_alone(model, revision_id)
        endpoint, host = self._names.endpoint(model), self._host(model)
        answer, deployed_id = self._api.raw_predict(endpoint, host, body, seconds)
        return PlatformAnswer(answer, self._revision_of(model, deployed_id))

    def call_example(self, model: str) -> CallExample | None:
        """Return calls by google-auth and curl; None for an endpoint inside a network."""
        if self._options.is_private:
            return None
        url, headers = self._api.prediction(self._names.endpoint(model), self._host(model))
        return call_example(url, headers)

    def request_limit(self, model: str) -> int:
        """Return 10 MB for an endpoint with a host of its own, 1.5 MB on the shared one.

        Source: Vertex AI, "Get online inferences", dedicated and shared public endpoints.
        """
        del model
        return DEDICATED_REQUEST if self._options.dedicated_endpoint else SHARED_REQUEST

    def predict_by_split(self, model: str, body: bytes) -> SplitAnswer:
        """Ask the endpoint; the response names the DeployedModel that the split chose."""
        place = self._names.endpoint(model), self._host(model)
        answer = self._api.raw_predict_by_split(*place, body)
        return replace(answer, revision=self._revision_of(model, answer.revision))

    def _revision_of(self, model: str, deployed_id: str) -> str:
        """Return the revision of a DeployedModel, "" if it has none; read for each new id."""
        if deployed_id and deployed_id not in self._deployed:
            self._read_deployed(model)
        return self._deployed.get(deployed_id, "")

    def count_traffic(
        self, model: str, revision_id: str, since: datetime, until: datetime, slow: float
    ) -> TrafficCounts:
        """Return the responses of a revision's DeployedModels, from Cloud Monitoring."""
        ids = self._ids(model, revision_id)
        return self._api.metrics.counts(self._names.endpoint(model), ids, since, until, slow)

    def latency(
        self, model: str, revision_id: str, since: datetime, until: datetime, percentile: float
    ) -> tuple[float, int]:
        """Return a percentile of a revision's latency, from Cloud Monitoring."""
        ids = self._ids(model, revision_id)
        return self._api.metrics.latency(self._names.endpoint(model), ids, since, until, percentile)

    def read_logs(self, model: str, query: LogQuery) -> Sequence[LogLine]:
        """Return the output of the endpoint's containers; raises UserError for a job."""
        if query.job:
            raise without_job_logs(f"{model} on {self._target}")
        self._read_deployed(model)
        return self._api.logs.read(self._names.endpoint(model), query, self._deployed)

    def diagnose(self, models: Sequence[str]) -> Iterable[Result]:
        """Yield the results of checks of the project, for `doctor`."""
        del models  # the permissions are those in the project
        return diagnose(self._api, self._blobs, self._options.region)

    def _ids(self, model: str, revision_id: str) -> list[str]:
        """Return the ids of a revision's DeployedModels."""
        if revision_id not in self._deployed.values():
            self._read_deployed(model)
        return [key for key, revision in self._deployed.items() if revision == revision_id]

    def _read_deployed(self, model: str) -> None:
        endpoint = snapshot_of(self.read(model)).endpoint
        placed = endpoint.placed if endpoint is not None else ()
        self._deployed = {each.id: each.revision or "" for each in placed}

    def why_not_asked(self, reading: Reading, revision_id: str) -> str:
        """Return why a revision cannot be asked, unless it has all the traffic."""
        if self._options.is_private:
            return "the endpoint answers inside its network alone"
        is_alone = reading.deployment.traffic.get(revision_id) == 1.0
        return "" if is_alone else NO_CHOICE

    def server_of(self, model: str, revision_id: str) -> str:
        """Read the image of a revision's model version; "" if there is none."""
        for record in self._api.versions(self._names.model(model)) or ():
            if revision_id in record.get("versionAliases", ()):
                return str(record.get("containerSpec", {}).get("imageUri", ""))
        return ""

    @property
    def registry(self) -> str:
        """Return the alias that approves a model version, for people; "" without one."""
        alias = self._options.approval_alias
        return f"the alias {alias} of Vertex AI's model registry" if alias else ""

    def approval(self, model: str, revision: Revision) -> Approval:
        """Read whether the revision's model version has the alias; its files cannot change."""
        alias = self._options.approval_alias
        snapshot = read_snapshot(self._api, self._names, model)
        version, holder = snapshot.version(revision.id), snapshot.holder(alias)
        if version is not None and alias in version.aliases:
            sentence = f"{revision.id} has the alias {alias} in Vertex AI's model registry"
            return Approval(is_given=True, sentence=sentence)
        has = holder.revision.id if holder else "no version of this target"
        number = version.number if version else "VERSION"
        return Approval(
            is_given=False,
            sentence=f"{revision.id} does not have the alias {alias} in Vertex AI's model "
            f"registry: {has} has it",
            hint="give it to the version: models.mergeVersionAliases of "
            f'{snapshot.model_id}@{number} with ["{alias}"]',
            where=self._api.url(self._api.model_name(snapshot.model_id)),
        )

    def check_batch(self, model: str, revision_id: str, batch: Batch) -> None:
        """Raise UserError for a revision without a model version, or URLs of another storage."""
        check_urls(batch)
        self._batches.version_of(model, revision_id)

    def batch(self, model: str, revision_id: str, batch: Batch, reporter: Reporter) -> BatchResult:
        """Run a batch prediction job with a revision's model version, on the target's machines."""
        check_urls(batch)
        version = self._batches.version_of(model, revision_id)
        return self._batches.run(model, version, revision_id, batch, reporter)

    def _check_alone(self, model: str, revision_id: str) -> None:
        traffic = self.read(model).deployment.traffic
        if traffic.get(revision_id) == 1.0:
            return
        # The first traffic of an endpoint is all of it.
        choice = (
            " --percent 1, or all of it; ask without --version" if any(traffic.values()) else ""
        )
        command = f"cloudserve promote {model} --target {self._target} --version {revision_id}"
        raise UserError(
            f"Vertex AI cannot ask {revision_id} alone: the endpoint's traffic decides who answers",
            where=f"{model} on {self._target}",
            hint=f"{command}{choice}",
        )

    def _host(self, model: str) -> str:
        """Return the endpoint's own host, "" for the shared one; it is read once.

        Raises ConflictError for an endpoint of another owner.
        """
        if model not in self._hosts:
            record = check_endpoint(self._api, self._names, model) or {}
            self._hosts[model] = str(record.get("dedicatedEndpointDns", ""))
        return self._hosts[model]
