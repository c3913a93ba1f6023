"""One SageMaker endpoint that many models share, as a Provider.

Each revision is an archive below the endpoint's prefix, `MODEL/REVISION.tar.gz`, and a request
names it as its TargetModel. An archive is never written over: the endpoint may have loaded it
(developer guide, "Add or Remove Models"). So the live revision is recorded in the catalog, and a
promotion changes nothing on the endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.known.tape import Tape
from cloudserve.logs.contract import LogLine, LogQuery
from cloudserve.predict.batch import Batch, BatchResult
from cloudserve.release.capacity import Stage
from cloudserve.release.collection import Hold
from cloudserve.release.destination import Destination
from cloudserve.release.inspection.drift import Setting
from cloudserve.release.provider import PlatformAnswer
from cloudserve.release.traffic import ALL
from cloudserve.release.types import (
    Action,
    Artifact,
    Deployed,
    Deployment,
    Location,
    Reading,
    Revision,
    State,
)
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.events import Reporter

from ....actions import out_of_date, planned, typed
from ..actions.executor import Performer, Scaling
from ..actions.steps import (
    CreateArchive,
    DeleteEndpoint,
    DeleteSharedEndpoint,
    DeregisterScaling,
    LoadModel,
    RegisterScaling,
    SetLive,
    SetTags,
    SharedStep,
    UnloadModel,
)
from ..context import AwsContext
from ..model_files.archive import Archives
from ..planning.autoscaling import ScalingPlanner
from ..planning.capacity import stages
from ..planning.checks import check, check_body, largest_body
from ..planning.other_uses import check_unused
from ..records import FAILED, Endpoint
from .catalog import Catalog, Catalogs, Entry
from .planner import OWNER, MultiModelPlanner


@dataclass(frozen=True, slots=True)
class SharedSnapshot:
    """The shared endpoint and a model's catalog; `Reading.snapshot` of this provider."""

    endpoint: Endpoint | None
    catalog: Catalog


class MultiModelEndpoint:
    """One target, all of whose models are on one endpoint."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context
        self._name = context.options.multi_model
        self._catalogs = Catalogs(context.blobs, self._name, context.names.owner.own_project)
        self._archives = Archives(context.blobs)
        self._planner = MultiModelPlanner(context, f"{context.blobs.url}/{self._catalogs.prefix}")
        self._performer = Performer(context)
        self._scaling_planner = ScalingPlanner(context)
        self._scaling = Scaling(context)

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
        """Return what a release's lock protects: one model on the endpoint in its region."""
        return f"sagemaker/{self._aws.options.region}/{self._name.lower()}/{model}"

    def read(self, model: str) -> Reading:
        """Read the endpoint and the model's catalog.

        Raises ConflictError for an endpoint of that name that is another owner's, or not one of
        many models.
        """
        endpoint, catalog = self._aws.owned.endpoint(OWNER), self._catalogs.read(model)
        snapshot = SharedSnapshot(endpoint, catalog)
        revisions = tuple(
            Deployed(
                entry.revision,
                State.FAILED if entry.reason else State.READY,
                f"{self._aws.blobs.url}/{self._catalogs.prefix}{_target(model, name)}",
                datetime.fromtimestamp(entry.tried, UTC),
                entry.reason or None,
            )
            for name, entry in sorted(catalog.revisions.items(), key=_by_number)
        )
        if endpoint is None:
            return Reading(Deployment(model, self._aws.names.target, revisions), snapshot)
        serves = endpoint.status != FAILED
        traffic = {
            name: float(name == catalog.live)
            for name, entry in catalog.revisions.items()
            if serves and not entry.reason
        }
        deployment = Deployment(
            model,
            self._aws.names.target,
            revisions,
            traffic,
            endpoint.state,
            endpoint.reason,
            self._name,
        )
        return Reading(deployment, snapshot)

    def check(self, artifact: Artifact) -> tuple[str, ...]:
        """Compare a model and the target's fields with SageMaker's limits, bucket, image."""
        return check(artifact, self._aws)

    def plan_deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Plan the endpoint unless it is as configured, the archive, and one load of it."""
        model, snapshot = reading.deployment.model, _snapshot(reading)
        before = self._planner.endpoint(snapshot.endpoint)
        before = (*before, *self._planner.tags(snapshot.endpoint, before))
        before = self._scaling_planner.around(OWNER, snapshot.endpoint, before)
        target = _target(model, revision.id)
        # The container looks for NUMBER/ at the top of each archive (python_service.py).
        archive = self._archives.plan(location, self._catalogs.prefix + target, alone=True)
        entry = snapshot.catalog.find(revision)
        if entry is not None and not entry.reason and not archive:
            return before
        load = LoadModel(model, revision.number, revision.digest)
        sentence = f"have the endpoint {self._name} load {target}"
        return (*archive, *before, planned(load, sentence))

    def plan_traffic(
        self, reading: Reading, revision_id: str, percent: int = ALL
    ) -> tuple[Action, ...]:
        """Plan to make a revision the live one; raises UserError for a percentage."""
        model, live = reading.deployment.model, reading.deployment.live
        if percent < ALL:
            raise UserError(
                "requests to an endpoint of many models name one of them: they cannot be divided",
                where=f"{model} on {self._aws.names.target}",
                hint="promote without --percent, and try it before with `predict --version`",
            )
        if _snapshot(reading).catalog.live == revision_id:
            return ()
        sentence = f"make {revision_id} the live revision of {model} on {self._name}"
        undo = f"promote {live} again" if live else ""
        return (planned(SetLive(model, revision_id), sentence, undo),)

    def plan_undeploy(
        self, reading: Reading, revision_ids: tuple[str, ...] | None
    ) -> tuple[Action, ...]:
        """Plan to delete archives, and the endpoint with its last model."""
        model, snapshot = reading.deployment.model, _snapshot(reading)
        revisions = snapshot.catalog.revisions
        going = [name for name in revisions if revision_ids is None or name in revision_ids]
        actions = [self._plan_unload(model, name) for name in sorted(going)]
        if revision_ids is None and self._is_last(model):
            removal = self._planner.removal(snapshot.endpoint, self._aws.owned)
            actions += self._scaling_planner.around(OWNER, snapshot.endpoint, removal)
        return tuple(actions)

    def check_unused(self, actions: tuple[Action, ...]) -> tuple[str, ...]:
        """Raise ConflictError if an endpoint of others uses what the actions delete."""
        return check_unused(self._aws.api, actions)

    def holds(self, reading: Reading) -> Mapping[str, Hold]:
        """Return {}: the archives of a multi-model endpoint have no labels."""
        del reading
        return {}

    def plan_leftovers(self, reading: Reading, going: tuple[str, ...]) -> tuple[Action, ...]:
        """Return (): other models share the endpoint's configurations."""
        del reading, going
        return ()

    def settings(self, reading: Reading) -> tuple[Setting, ...]:
        """Compare the shared endpoint, its SageMaker Model, scaling and tags with the target's."""
        endpoint = _snapshot(reading).endpoint
        return tuple(self._planner.settings(endpoint)) if endpoint else ()

    def machines(self, reading: Reading, actions: tuple[Action, ...]) -> Sequence[Stage]:
        """Return the instances of the endpoint that the models share."""
        return stages(reading.deployment, (_snapshot(reading).endpoint,), self._name, actions)

    def read_logs(self, model: str, query: LogQuery) -> Sequence[LogLine]:
        """Return the output of the shared endpoint's containers: of all models on it.

        Raises UserError for a job: models of a multi-model endpoint have none.
        """
        if query.job:
            raise UserError(
                "the models of a multi-model endpoint have no batch jobs",
                where=f"{model} on {self._aws.names.target}",
                hint="cloudserve logs without --job shows the lines of the endpoint",
            )
        self._aws.owned.endpoint(OWNER)
        return self._aws.api.logs.read(self._name, query)

    def _is_last(self, model: str) -> bool:
        """Return whether a model was on the endpoint, and no other one is."""
        return self._catalogs.has(model) and not self._catalogs.models(but=model)

    def _plan_unload(self, model: str, revision_id: str) -> Action:
        target = _target(model, revision_id)
        sentence = f"delete the archive {target} below the prefix of the endpoint {self._name}"
        step = UnloadModel(model, revision_id)
        return planned(step, sentence, name=f"unload-{revision_id}")

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action and wait for its end."""
        step: SharedStep = typed(action, SharedStep, "sagemaker")
        match step:
            case CreateArchive():
                self._archives.make(step, reporter)
            case SetTags():
                self._aws.owned.change_tags(step)
            case RegisterScaling() | DeregisterScaling():
                self._scaling.perform(step, reporter)
            case LoadModel():
                self._load(step, reporter)
            case UnloadModel():
                self._unload(step.model, step.revision)
            case DeleteSharedEndpoint():
                self._delete_shared(step, reporter)
            case SetLive():
                self._set_live(step.model, step.revision)
            case _:
                self._performer.perform(step, reporter)

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Invoke the live revision or the named one; raises UserError for an unknown revision."""
        chosen = self._chosen(model, body, revision_id)
        return self._aws.api.runtime.invoke(self._name, None, body, _target(model, chosen))

    def ask(
        self, model: str, body: bytes, revision_id: str | None, seconds: float
    ) -> PlatformAnswer:
        """Invoke a revision once (see AnsweringProvider)."""
        chosen = self._chosen(model, body, revision_id)
        target = {"TargetModel": _target(model, chosen)}
        answer, _ = self._aws.api.runtime.invoke_once(self._name, target, body, seconds)
        return PlatformAnswer(answer, chosen)

    def request_limit(self, model: str) -> int:
        """Return the largest request that the endpoint takes."""
        del model
        return largest_body(self._aws.options)

    def _chosen(self, model: str, body: bytes, revision_id: str | None) -> str:
        check_body(body, self._aws.options)
        self._aws.owned.check_reader(OWNER)
        catalog, where = self._catalogs.read(model), f"{model} on {self._aws.names.target}"
        chosen = revision_id or catalog.live
        if not chosen:
            raise RemoteError(
                f"nothing of {model} is live on the endpoint {self._name}",
                where=where,
                hint=f"cloudserve deploy {model} --target {self._aws.names.target}",
            )
        if chosen not in catalog.revisions:
            raise UserError(
                f"{chosen} is not on the endpoint {self._name}",
                where=where,
                hint=f"there: {', '.join(sorted(catalog.revisions)) or 'nothing'}",
            )
        return chosen

    def why_not_asked(self, reading: Reading, revision_id: str) -> str:
        """Return "": a request names its model (TargetModel)."""
        del reading, revision_id
        return ""

    def server_of(self, model: str, revision_id: str) -> str:
        """Return the image of the target, which serves all models of its endpoint."""
        del model, revision_id
        return self._aws.image

    def check_batch(self, model: str, revision_id: str, batch: Batch) -> None:
        """Raise UserError: a transform job needs a SageMaker Model of one archive."""
        del revision_id, batch
        raise self._no_batch(model)

    def batch(self, model: str, revision_id: str, batch: Batch, reporter: Reporter) -> BatchResult:
        """Raise UserError, as `check_batch` does."""
        del revision_id, batch, reporter
        raise self._no_batch(model)

    def _no_batch(self, model: str) -> UserError:
        return UserError(
            "an endpoint of many models has no batch transform",
            where=f"{model} on {self._aws.names.target}",
            hint="add a target without `multi_model`, with `archive: true`",
        )

    def _load(self, step: LoadModel, reporter: Reporter) -> None:
        model, revision = step.model, Revision(step.number, step.digest)
        target = _target(model, revision.id)

        def look() -> tuple[str] | None:
            return (self._aws.api.runtime.why_not_loaded(self._name, target),)

        (reason,) = self._aws.poller.until(
            look, what=target, where=self._aws.api.where, reporter=reporter
        )
        self._catalogs.change(model, lambda catalog: catalog.tried(revision, reason))
        if reason:
            raise RemoteError(
                f"the endpoint {self._name} does not load {target}: {reason}",
                where=self._aws.api.where,
                hint="correct the cause; then deploy again: what failed is replaced",
            )
        reporter.line(f"{target} is loaded")

    def _unload(self, model: str, revision_id: str) -> None:
        """Delete an archive, then its entry, by which the next run finds a killed removal.

        The endpoint unloads the model when it needs the memory.
        """
        self._aws.blobs.delete(f"{self._catalogs.prefix}{_target(model, revision_id)}")
        if revision_id in self._catalogs.read(model).revisions:
            self._catalogs.change(model, lambda catalog: catalog.without(revision_id))

    def _delete_shared(self, step: DeleteSharedEndpoint, reporter: Reporter) -> None:
        """Delete the endpoint unless another model came to it since the plan was made."""
        others = self._catalogs.models()
        if others:
            raise ConflictError(
                f"the endpoint {self._name} has new models: {', '.join(others)}",
                where=self._aws.api.where,
                hint="run the same command again: the endpoint stays then",
            )
        self._performer.perform(DeleteEndpoint(step.model, step.endpoint, idle=True), reporter)

    def _set_live(self, model: str, revision_id: str) -> None:
        entry = self._catalogs.read(model).revisions.get(revision_id)
        if entry is None or entry.reason:
            message = f"{revision_id} is not on the endpoint {self._name} any more"
            raise out_of_date(message, f"{model} on {self._aws.names.target}")
        self._catalogs.change(model, lambda catalog: catalog.promoted(revision_id))


def _snapshot(reading: Reading) -> SharedSnapshot:
    snapshot: SharedSnapshot = reading.snapshot
    return snapshot


def _by_number(named: tuple[str, Entry]) -> tuple[int, str]:
    return named[1].number, named[0]


def _target(model: str, revision_id: str) -> str:
    """Return the TargetModel of a revision: its archive's key below the endpoint's prefix."""
    return f"{model}/{revision_id}.tar.gz"
