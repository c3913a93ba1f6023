"""AI Platform Prediction (ml v1) as a Provider.

Legacy: Google shut the service down on 31 January 2025, so this speaks to the emulator, and tells
what the live service answers now. A revision is a version; the default version has all traffic.
Versions without cloudserve's labels are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.project import Target
from cloudserve.release.nouns import Action, Deployment, Location, Revision, State
from cloudserve.release.provider import BlobStore, Notify, Provider

from ..extras import extra
from ..options import bucket_name, from_environment, parse_options
from ..polling import Poller
from .versions import (
    MODEL,
    deployed,
    model_labels,
    platform_name,
    revision_of,
    traffic,
    version_labels,
)

if TYPE_CHECKING:
    from .ml import MlClient

ENDPOINT = "https://ml.googleapis.com"
Args = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Options:
    """The fields of a target with `provider: ai-platform`."""

    bucket: str
    project: str = from_environment("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
    region: str = "us-central1"
    runtime_version: str = "2.11"
    python_version: str = "3.7"
    machine_type: str = "n1-standard-2"
    min_nodes: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Nodes that always run; 0 leaves it to the platform."""
    service_account: str = ""
    endpoint: str = from_environment("CLOUDSDK_API_ENDPOINT_OVERRIDES_ML", default=ENDPOINT)
    timeout_seconds: Annotated[int, msgspec.Meta(gt=0)] = 1800
    """How long an operation is waited for."""


def create(target: Target, environ: Mapping[str, str]) -> Provider:
    """Make the provider of a target: the entry point `ai-platform`. Reaches no network.

    Raises ProjectError for a wrong field, MissingExtraError without `cloudserve[gcp]`.
    """
    options = parse_options(target, Options, environ)
    name = bucket_name(target, options.bucket, "gs")
    with extra(f"target {target.name}", "gcp"):
        from .credentials import Access
        from .ml import MlClient
        from .storage import GcsBlobs
    access = Access(environ)
    blobs = GcsBlobs(
        name,
        project=options.project,
        region=options.region,
        access=access,
        emulator=environ.get("STORAGE_EMULATOR_HOST") or None,
    )
    ml = MlClient(options.project, options.endpoint, access)
    return AiPlatform(target.name, options, ml, blobs, Poller(options.timeout_seconds))


class AiPlatform:
    """One target on AI Platform."""

    def __init__(
        self, target: str, options: Options, ml: MlClient, blobs: BlobStore, poller: Poller
    ) -> None:
        self._target = target
        self._options = options
        self._ml = ml
        self._blobs = blobs
        self._poller = poller

    @property
    def blobs(self) -> BlobStore:
        """Return the target's bucket."""
        return self._blobs

    def describe(self, model: str) -> Deployment:
        """Read the model, its versions and its default version.

        Raises ConflictError when the platform's name belongs to another cloudserve model.
        """
        name = platform_name(model)
        found = self._ml.get_model(name)
        if found is None:
            return Deployment(model, self._target)
        self._check_owner(model, found)
        revisions = (deployed(version) for version in self._ml.list_versions(name))
        return Deployment(
            model,
            self._target,
            tuple(revision for revision in revisions if revision),
            traffic(found),
            State.READY,
            endpoint=str(found["name"]),
        )

    def plan_deploy(
        self, model: str, revision: Revision, location: Location, seen: Deployment
    ) -> tuple[Action, ...]:
        """Plan the model, if it is missing, and the version; a failed one is deleted first."""
        there = seen.find(revision.id)
        args = {"model": model, "revision": revision.id}
        match there.state if there else None:
            case State.READY:
                return ()
            case State.CREATING | State.UPDATING:
                sentence = f"wait for version {platform_name(revision.id)}, which is being made"
                return (Action("await-version", "await-version", sentence, args),)
            case State.DELETING:
                raise ConflictError(
                    f"version {platform_name(revision.id)} is being deleted",
                    where=self._ml.url(platform_name(model), platform_name(revision.id)),
                    hint="run the same command again when it is gone",
                )
        actions = [] if seen.endpoint else [self._plan_model(model)]
        if there is not None:
            sentence = f"delete the failed version {platform_name(revision.id)}"
            actions.append(Action("delete-version", "delete-version", sentence, args))
        actions.append(self._plan_version(model, revision, location))
        if seen.revisions and not seen.traffic:
            # Only the very first version becomes the default by itself; here that one failed.
            actions += self.plan_traffic(model, revision.id, seen)
        return tuple(actions)

    def plan_traffic(self, model: str, revision_id: str, seen: Deployment) -> tuple[Action, ...]:
        """Plan to make a version the default one."""
        if seen.traffic.get(revision_id) == 1.0:
            return ()
        name = platform_name(model)
        undo = f"set {platform_name(seen.live)} as the default version" if seen.live else ""
        return (
            Action(
                "set-default",
                "set-default",
                f"make {platform_name(revision_id)} the default version of {name}",
                {"model": model, "revision": revision_id},
                undo,
            ),
        )

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action and wait for its end; done a second time it changes nothing."""
        args = action.args
        match action.kind:
            case "create-model":
                self._create_model(args, notify)
            case "create-version":
                self._create_version(args, notify)
            case "await-version":
                self._await_version(*_names(args), notify)
            case "delete-version":
                self._delete_version(args, notify)
            case "set-default":
                self._ml.set_default(*_names(args))
            case kind:
                raise UserError(
                    f"ai-platform does not know the action `{kind}`", hint="make the plan again"
                )

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Send a prediction to the default version, or to one revision's."""
        version = platform_name(revision_id) if revision_id else None
        return self._ml.predict(platform_name(model), version, body)

    def _plan_model(self, model: str) -> Action:
        name = platform_name(model)
        return Action(
            "create-model",
            "create-model",
            f"create the model {name} in {self._options.region}",
            {"model": model, "region": self._options.region},
            f"delete the model {name}",
        )

    def _plan_version(self, model: str, revision: Revision, location: Location) -> Action:
        options = self._options
        name = f"{platform_name(model)}/{platform_name(revision.id)}"
        args: Args = {
            "model": model,
            "revision": revision.id,
            "number": revision.number,
            "digest": revision.digest,
            "source": location.saved_model_url,
            "runtime_version": options.runtime_version,
            "python_version": options.python_version,
            "machine_type": options.machine_type,
            "min_nodes": options.min_nodes,
            "service_account": options.service_account,
        }
        sentence = (
            f"create the version {name} from {location.saved_model_url} "
            f"on {options.machine_type}, runtime {options.runtime_version}"
        )
        return Action(
            "create-version", "create-version", sentence, args, f"delete the version {name}"
        )

    def _create_model(self, args: Args, notify: Notify) -> None:
        model = str(args["model"])
        name = platform_name(model)
        body = {"name": name, "regions": [args["region"]], "labels": model_labels(model)}
        try:
            self._ml.create_model(body)
        except RemoteError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self._check_owner(model, self._ml.get_model(name) or {})
            notify(f"model {name}: there already")

    def _create_version(self, args: Args, notify: Notify) -> None:
        model, version = _names(args)
        try:
            operation = self._ml.create_version(model, _version_body(args))
        except RemoteError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self._adopt(args, notify)
        else:
            self._await_operation(operation, self._ml.url(model, version), notify)

    def _adopt(self, args: Args, notify: Notify) -> None:
        model, version = _names(args)
        found = self._ml.get_version(model, version) or {}
        revision = revision_of(found) if found else None
        if revision is None or revision.digest != args["digest"]:
            raise ConflictError(
                f"version {version} is there and is not this model",
                where=self._ml.url(model, version),
                hint="delete that version, or release the model under another name",
            )
        notify(f"version {version}: there already")
        self._await_version(model, version, notify)

    def _delete_version(self, args: Args, notify: Notify) -> None:
        model, version = _names(args)
        found = self._ml.get_version(model, version)
        if found is None:
            return
        if found.get("state") != "FAILED" or revision_of(found) is None:
            raise ConflictError(
                f"version {version} is {found.get('state', 'there')}, no longer failed",
                where=self._ml.url(model, version),
                hint="run the same command again: the plan is out of date",
            )
        operation = self._ml.delete_version(model, version)
        if operation is not None:
            self._await_operation(operation, self._ml.url(model, version), notify)

    def _await_operation(self, operation: Mapping[str, Any], where: str, notify: Notify) -> None:
        name = str(operation["name"])

        def probe() -> Mapping[str, Any] | None:
            now = self._ml.operation(name)
            return now if now.get("done") else None

        if not operation.get("done"):
            notify(f"operation {name.rpartition('/')[2]} is running")
            operation = self._poller.until(
                probe, what=f"operation {name}", where=where, notify=notify
            )
        if "error" in operation:  # first: a failed operation has no `response`
            raise _failed(str(operation["error"].get("message", "no reason given")), where)

    def _await_version(self, model: str, version: str, notify: Notify) -> None:
        where = self._ml.url(model, version)

        def probe() -> Mapping[str, Any] | None:
            now = self._ml.get_version(model, version)
            if now is None:
                raise _failed(f"version {version} is gone", where)
            return now if now.get("state") in {"READY", "FAILED"} else None

        found = self._poller.until(probe, what=f"version {version}", where=where, notify=notify)
        if found["state"] == "FAILED":
            raise _failed(found.get("errorMessage", "no reason given"), where)

    def _check_owner(self, model: str, found: Mapping[str, Any]) -> None:
        owner = found.get("labels", {}).get(MODEL, model.lower())
        if owner != model.lower():
            raise ConflictError(
                f"{platform_name(model)} on the platform is the model `{owner}`",
                where=self._ml.url(platform_name(model)),
                hint="names must differ in more than - and _; rename one of the models",
            )


def _names(args: Args) -> tuple[str, str]:
    return platform_name(str(args["model"])), platform_name(str(args["revision"]))


def _version_body(args: Args) -> dict[str, Any]:
    """Return a Version (ml v1) for the arguments of `create-version`."""
    body: dict[str, Any] = {
        "name": platform_name(str(args["revision"])),
        "deploymentUri": args["source"],
        "framework": "TENSORFLOW",
        "runtimeVersion": args["runtime_version"],
        "pythonVersion": args["python_version"],
        "machineType": args["machine_type"],
        "labels": version_labels(Revision(int(args["number"]), str(args["digest"]))),
    }
    if args["min_nodes"]:
        body["autoScaling"] = {"minNodes": args["min_nodes"]}
    if args["service_account"]:
        body["serviceAccount"] = args["service_account"]
    return body


def _failed(reason: str, where: str) -> RemoteError:
    return RemoteError(
        reason, where=where, hint="correct the cause and deploy again: a failed version is replaced"
    )
