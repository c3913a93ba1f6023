"""AI Platform Prediction (ml v1) as a Provider.

Legacy: Google shut the service down on 31 January 2025, so this reaches the emulator, and reports
the refusal of the live service. A revision is a version; the default version has all traffic.
Versions without cloudserve's labels are never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudserve.errors import ConflictError, UserError
from cloudserve.known.tape import Tape
from cloudserve.project import Target
from cloudserve.release.calling import CallExample
from cloudserve.release.destination import Destination
from cloudserve.release.provider import Hold, PlatformAnswer, Provider, Setting
from cloudserve.release.traffic import ALL
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

from ...actions import planned
from ...options import bucket_name, parse_options, value_of
from ...ownership import ownership
from ...polling import Poller
from ...settings import compare, compare_given
from ..call_example import call_example
from ..credentials import Access
from ..gcs.store import GcsBlobs
from ..labels import check_labels, label_value
from .actions import (
    AwaitVersion,
    CreateModel,
    CreateVersion,
    DeleteModel,
    DeleteVersion,
    RemoveVersion,
    SetDefault,
)
from .api import MlClient
from .executor import Performer
from .names import Names
from .options import DECIDED, Options, check, check_options, version_settings
from .records import deployed, platform_name, short_name, traffic

LARGEST_REQUEST = 1_572_864
"""Bytes of a prediction."""
ANSWER_SECONDS = 120.0


def create(target: Target, environ: Mapping[str, str]) -> Provider:
    """Make the provider of a target, without network access.

    Raises ProjectError for a wrong field, UserError for fields that contradict each other.
    """
    options = parse_options(target, Options, environ)
    name = bucket_name(target, options.bucket, "gs")
    check_options(options, target.where_of)
    check_labels(options.labels, target.where_of)
    access = Access(environ)
    blobs = GcsBlobs(
        name,
        project=options.project,
        region=options.region,
        access=access,
        emulator=environ.get("STORAGE_EMULATOR_HOST") or None,
    )
    ml = MlClient(options.project, options.api_endpoint, access)
    names = _names(target, options, name, environ)
    return AiPlatform(names, options, ml, blobs, Poller(options.timeout_seconds))


def _names(target: Target, options: Options, bucket: str, environ: Mapping[str, str]) -> Names:
    def place(of: Target) -> str:
        return value_of(of, Options, "project", environ)  # a name is taken in all regions

    name = options.endpoint_name
    return Names(
        ownership(target, bucket, name, place=place, fold=platform_name, encode=label_value)
    )


class AiPlatform:
    """One target on AI Platform."""

    def __init__(
        self, names: Names, options: Options, ml: MlClient, blobs: GcsBlobs, poller: Poller
    ) -> None:
        self._target = names.own.target
        self._names = names
        self._options = options
        self._ml = ml
        self._blobs = blobs
        self._performer = Performer(ml, poller, names)
        self._checked: set[str] = set()
        """The models whose owner was compared before the first prediction."""

    @property
    def blobs(self) -> BlobStore:
        """Return the target's bucket."""
        return self._blobs

    def destination(self) -> Destination:
        """Return the Google Cloud project that the calls reach, or the offline clouds."""
        options, storage = self._options, self._blobs.endpoint
        return self._ml.destination(storage, options.project, options.region)

    def record(self, tape: Tape) -> None:
        """Send all reads through a tape."""
        self._ml.record(tape)

    def lock_name(self, model: str) -> str:
        """Return what a release's lock protects: the model in its project."""
        return f"ai-platform/{self._options.project}/{self._names.model(model)}"

    def read(self, model: str) -> Reading:
        """Read the model, its versions and its default version.

        Raises ConflictError when the platform's name belongs to another owner or model.
        """
        record = self._names.check(self._ml, model)
        if record is None:
            return Reading(Deployment(model, self._target), frozenset())
        versions = tuple(self._ml.list_versions(self._names.model(model)))
        revisions = map(deployed, versions)
        deployment = Deployment(
            model,
            self._target,
            tuple(revision for revision in revisions if revision),
            traffic(record),
            State.READY,
            endpoint=str(record["name"]),
        )
        return Reading(deployment, frozenset(map(short_name, versions)))

    def check(self, artifact: Artifact) -> tuple[str, ...]:
        """Compare a model with the platform's limits and the runtime's TensorFlow.

        Raises UserError for a model of too many files or bytes.
        """
        return check(artifact, self._options)

    def plan_deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Plan the model, if it is missing, and the version; a failed one is deleted first."""
        deployment = reading.deployment
        model, existing = deployment.model, deployment.find(revision.id)
        match existing.state if existing else None:
            case State.READY:
                return ()
            case State.CREATING | State.UPDATING:
                sentence = f"wait for version {platform_name(revision.id)}, which is being made"
                return (planned(AwaitVersion(model, revision.id), sentence),)
            case State.DELETING:
                raise ConflictError(
                    f"version {platform_name(revision.id)} is being deleted",
                    where=self._ml.url(self._names.model(model), platform_name(revision.id)),
                    hint="run the same command again when it is gone",
                )
        actions = [] if deployment.endpoint else [self._plan_model(model)]
        if existing is not None:
            sentence = f"delete the failed version {platform_name(revision.id)}"
            actions.append(planned(DeleteVersion(model, revision.id), sentence))
        actions.append(self._plan_version(model, revision, location))
        if deployment.revisions and not deployment.traffic:
            # Only the very first version becomes the default by itself; here that one failed.
            actions += self.plan_traffic(reading, revision.id)
        return tuple(actions)

    def plan_traffic(
        self, reading: Reading, revision_id: str, percent: int = 100
    ) -> tuple[Action, ...]:
        """Plan to make a version the default one; raises UserError for a part of the traffic."""
        deployment = reading.deployment
        model, live = deployment.model, deployment.live
        if percent < ALL:
            raise UserError(
                "AI Platform has one default version, which gets all traffic",
                where=f"{model} on {self._target}",
                hint="promote without --percent or --canary; Vertex AI splits traffic: "
                f"cloudserve migrate {self._target}",
            )
        if deployment.traffic.get(revision_id) == 1.0:
            return ()
        name = self._names.model(model)
        undo = f"set {platform_name(live)} as the default version" if live else ""
        return (
            planned(
                SetDefault(model, revision_id),
                f"make {platform_name(revision_id)} the default version of {name}",
                undo,
            ),
        )

    def plan_undeploy(
        self, reading: Reading, revision_ids: tuple[str, ...] | None
    ) -> tuple[Action, ...]:
        """Plan to delete versions, the default one last, and a model that has no others then.

        Raises ConflictError where the default version is ours and others' versions stay.
        """
        deployment, every = reading.deployment, _versions(reading)
        if not deployment.endpoint:
            return ()
        model = deployment.model
        name = self._names.model(model)
        ids = [d.revision.id for d in deployment.revisions]
        going = ids if revision_ids is None else [i for i in ids if i in revision_ids]
        going.sort(key=lambda revision_id: deployment.traffic.get(revision_id, 0.0))
        strangers = sorted(every - {platform_name(revision_id) for revision_id in ids})
        if strangers and going and deployment.traffic.get(going[-1]):
            raise ConflictError(
                f"{going[-1]} is the default version, and {', '.join(strangers)} of the model "
                f"{name} are not cloudserve's",
                where=self._ml.url(name),
                hint="make one of them the default version, or delete them, first",
            )
        actions = [self._plan_removal(model, revision_id) for revision_id in going]
        if len(going) == len(every) and (going or revision_ids is None):
            actions.append(planned(DeleteModel(model), f"delete the model {name}"))
        return tuple(actions)

    def holds(self, reading: Reading) -> Mapping[str, Hold]:
        """Return {}: a version's labels cannot be changed after its creation."""
        del reading
        return {}

    def plan_leftovers(self, reading: Reading, going: tuple[str, ...]) -> tuple[Action, ...]:
        """Return (): a model has only versions, and each is a revision."""
        del reading, going
        return ()

    def settings(self, reading: Reading) -> tuple[Setting, ...]:
        """Compare machine, runtime, nodes and account of versions with the target's."""
        if not reading.deployment.endpoint:
            return ()
        expected = version_settings(self._options)
        ids = {platform_name(d.revision.id): d.revision.id for d in reading.deployment.revisions}
        return tuple(
            setting
            for record in self._ml.list_versions(self._names.model(reading.deployment.model))
            if (name := ids.get(short_name(record)))
            for setting in _compare(expected, record, self._options.labels, name)
        )

    def _plan_removal(self, model: str, revision_id: str) -> Action:
        version = platform_name(revision_id)
        sentence = f"delete the version {self._names.model(model)}/{version}"
        step = RemoveVersion(model, revision_id)
        return planned(step, sentence, name=f"remove-{version}")

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action and wait for its end; done a second time it changes nothing."""
        self._performer.perform(action, reporter)

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Send a prediction to the default version, or to one revision's.

        Raises ConflictError for a model of another owner.
        """
        return self.ask(model, body, revision_id, ANSWER_SECONDS).body

    def ask(
        self, model: str, body: bytes, revision_id: str | None, seconds: float
    ) -> PlatformAnswer:
        """Send a prediction once; answers do not name the version (see AnsweringProvider)."""
        if model not in self._checked:
            self._names.check(self._ml, model)
            self._checked.add(model)
        version = platform_name(revision_id) if revision_id else None
        answer = self._ml.predict(self._names.model(model), version, body, seconds)
        return PlatformAnswer(answer, revision_id or "")

    def call_example(self, model: str) -> CallExample | None:
        """Return calls by google-auth and curl."""
        return call_example(f"{self._ml.url(self._names.model(model))}:predict", {})

    def request_limit(self, model: str) -> int:
        """Return 1.5 MB ("Request payload size exceeds the limit: 1572864 bytes.")."""
        del model
        return LARGEST_REQUEST

    def why_not_asked(self, reading: Reading, revision_id: str) -> str:
        """Return "": each version of a model has its own URL for predictions."""
        del reading, revision_id
        return ""

    def server_of(self, model: str, revision_id: str) -> str:
        """Read the runtime of a revision's version; "" if there is none."""
        version = self._ml.get_version(self._names.model(model), platform_name(revision_id))
        runtime = str((version or {}).get("runtimeVersion", ""))
        return f"AI Platform runtime {runtime}" if runtime else ""

    def _plan_model(self, model: str) -> Action:
        name = self._names.model(model)
        return planned(
            CreateModel(model, self._options.region),
            f"create the model {name} in {self._options.region}",
            f"delete the model {name}",
        )

    def _plan_version(self, model: str, revision: Revision, location: Location) -> Action:
        options = self._options
        name = f"{self._names.model(model)}/{platform_name(revision.id)}"
        step = CreateVersion(
            model,
            revision.number,
            revision.digest,
            location.saved_model_url,
            version_settings(options),
            dict(options.labels),
        )
        sentence = (
            f"create the version {name} from {location.saved_model_url} "
            f"on {options.machine_type}, runtime {options.runtime_version}"
        )
        return planned(step, sentence, f"delete the version {name}")


def _compare(
    expected: Mapping[str, Any], version: Mapping[str, Any], labels: Mapping[str, str], of: str
) -> Iterator[Setting]:
    """Yield what differs in a Version; labels of others are not compared."""
    decided = {name: version[name] for name in DECIDED if name in version}
    yield from compare(expected, decided, of)
    yield from compare_given(labels, version.get("labels", {}), of, "label ")


def _versions(reading: Reading) -> frozenset[str]:
    """Return the names of all versions of a model, also those of other tools."""
    names: frozenset[str] = reading.snapshot
    return names
