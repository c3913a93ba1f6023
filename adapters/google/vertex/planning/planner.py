"""The plans of a model and its endpoint on Vertex AI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cloudserve.errors import ConflictError, UserError
from cloudserve.release.inspection.drift import Setting
from cloudserve.release.traffic import percents, split
from cloudserve.release.types import Action, Location, Reading, Revision

from ....actions import planned
from ....extra_fields import digest_of, extra_text, merged
from ..actions.steps import (
    CreateEndpoint,
    DeleteVersion,
    DeployModel,
    ScaleModel,
    SetAliases,
    SetTraffic,
    UndeployModel,
    UploadVersion,
)
from ..fields.extra import DEPLOYED, ENDPOINT, MODEL
from ..fields.images import Availability, artifact_uri, container_fingerprint, container_spec
from ..fields.machines import holds, machine_spec, scaling
from ..fields.options import Options
from ..names import Names
from ..records import DEFAULT, LIVE, PREVIOUS, Endpoint, Placed, Version
from ..settings import Expected, find_settings
from ..snapshot import Snapshot, snapshot_of
from .deployed_models import fits
from .labels import label_changes
from .private_endpoint import (
    check_alone,
    check_unchanged,
    encryption,
    endpoint_labels,
    network_fields,
    network_text,
)

if TYPE_CHECKING:
    from ..api import VertexApi


class Planner:
    """Plans for one target."""

    def __init__(
        self, names: Names, options: Options, api: VertexApi, available: Availability
    ) -> None:
        self._target = names.own.target
        self._names = names
        self._options = options
        self._api = api
        self._available = available

    def deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Plan a model version and a deployment of it beside what is live.

        A version that failed, or that another container should serve, is uploaded again under the
        same revision; a deployment on other machines is replaced, with the share it had.
        """
        model, snapshot = reading.deployment.model, snapshot_of(reading)
        self._check_endpoint(snapshot)
        actions = [] if snapshot.endpoint else [self._create_endpoint(model)]
        version = snapshot.version(revision.id)
        uploads = self._upload(model, revision, location, version)
        now = None if uploads else version
        actions += uploads
        actions += self._place(model, revision.id, now, snapshot)
        actions += self._first_traffic(model, revision.id, now, snapshot)
        if version and uploads:
            actions.append(self._delete_version(model, revision.id, version))
        for old in snapshot.superseded:
            if old.revision == revision:
                actions.append(self._delete_version(model, revision.id, old))
        labels = label_changes(self._options.labels, model, snapshot, now)
        pruned = self._prune(model, snapshot, {revision.id, *_with_traffic(snapshot)})
        return (*actions, *labels, *pruned)

    def settings(self, reading: Reading) -> Iterator[Setting]:
        """Yield what is deployed otherwise than the target's fields say."""
        spec, fields = self._container(reading.deployment.model)
        version = {**encryption(self._options), **fields}
        return find_settings(
            self._options, reading, Expected(spec, version, fields, self._deployed_model)
        )

    def traffic(self, reading: Reading, revision_id: str, percent: int) -> tuple[Action, ...]:
        """Plan shares of the traffic; a revision that was undeployed is deployed again first."""
        deployment, snapshot = reading.deployment, snapshot_of(reading)
        model, version = deployment.model, snapshot.version(revision_id)
        if snapshot.endpoint is None or version is None:
            raise ConflictError(
                f"there is no endpoint {snapshot.endpoint_id} with {revision_id}",
                where=self._api.url(self._api.endpoint_name(snapshot.endpoint_id)),
                hint=f"cloudserve deploy {model} --target {self._target}",
            )
        actions: list[Action] = []
        if not snapshot.endpoint.placements(revision_id):
            self._check_room(snapshot.endpoint)
            actions.append(self._deploy_model(model, revision_id))
        shares = split(deployment.traffic, revision_id, percent)
        if shares != percents(deployment.traffic):
            actions.append(self._set_traffic(model, shares, deployment.traffic, deployment.live))
        if shares == {revision_id: 100}:
            actions += self._aliases(model, revision_id, version)
        pruned = self._prune(model, snapshot, set(shares), before=deployment.live)
        return (*actions, *pruned)

    def _check_endpoint(self, snapshot: Snapshot) -> None:
        endpoint, is_dedicated = snapshot.endpoint, self._options.dedicated_endpoint
        if endpoint is None:
            return
        where = self._api.url(endpoint.name)
        if endpoint.dedicated != is_dedicated:
            word = "a dedicated" if endpoint.dedicated else "a shared"
            raise UserError(
                f"the endpoint {snapshot.endpoint_id} exists as {word} one, "
                "which cannot be changed",
                where=where,
                hint=f"set dedicated_endpoint: {str(endpoint.dedicated).lower()}, "
                "or release the model under another name",
            )
        check_unchanged(self._options, endpoint, snapshot.endpoint_id, where)

    def _check_room(self, endpoint: Endpoint | None) -> None:
        if self._options.network and endpoint:
            check_alone(endpoint, self._api.url(endpoint.name))

    def _create_endpoint(self, model: str) -> Action:
        options, name = self._options, self._names.endpoint(model)
        return planned(
            CreateEndpoint(
                model, options.dedicated_endpoint, network_fields(options), endpoint_labels(options)
            ),
            f"create the endpoint {name} in {options.region}{network_text(options)}"
            f"{extra_text(options.extra, ENDPOINT)}",
            f"delete the endpoint {name}",
        )

    def _upload(
        self, model: str, revision: Revision, location: Location, version: Version | None
    ) -> list[Action]:
        options = self._options
        uri = artifact_uri(options, location)
        spec, fields = self._container(model)
        container = container_fingerprint(spec, fields, uri)
        if version and not version.failed and version.container in {container, None}:
            return []
        name, image = self._names.model(model), spec["imageUri"]
        self._available.check(image)
        why = " again" if version else ""
        step = UploadVersion(
            model,
            revision.id,
            revision.number,
            revision.digest,
            uri,
            spec,
            container,
            {**encryption(options), **fields},
            dict(options.labels),
        )
        return [
            planned(
                step,
                f"upload {revision.id}{why} as a version of the model {name} from {uri}, "
                f"served by {image}{extra_text(options.extra, MODEL)}",
                f"delete the version {revision.id} of the model {name}",
            )
        ]

    def _place(
        self, model: str, revision_id: str, version: Version | None, snapshot: Snapshot
    ) -> list[Action]:
        """Plan a deployment of a version; None stands for one that this plan uploads."""
        placements = snapshot.endpoint.placements(revision_id) if snapshot.endpoint else ()
        expected = self._deployed_model(revision_id)
        good = [
            p for p in placements if version and p.version == version.number and fits(p, expected)
        ]
        actions: list[Action] = []
        if not good:
            self._check_room(snapshot.endpoint)
            actions.append(self._deploy_model(model, revision_id))
        elif not holds(good[0].resources, scaling(self._options)):
            actions.append(self._scale(model, revision_id, good[0]))
        actions += [self._undeploy(model, revision_id, p) for p in placements if p not in good[:1]]
        return actions

    def _deploy_model(self, model: str, revision_id: str) -> Action:
        name = self._names.endpoint(model)
        sentence = f"deploy {revision_id} on the endpoint {name}, {self._machines()}"
        step = DeployModel(model, revision_id, self._deployed_model(revision_id))
        undo = f"undeploy {revision_id} from the endpoint {name}"
        return planned(step, sentence, undo)

    def _machines(self) -> str:
        options = self._options
        most = max(options.min_replicas, options.max_replicas)
        count = str(most) if most == options.min_replicas else f"{options.min_replicas} to {most}"
        extra = ""
        if options.accelerator_count:
            extra = f" with {options.accelerator_count} x {options.accelerator_type}"
        return f"{count} x {options.machine_type}{extra}{extra_text(options.extra, DEPLOYED)}"

    def _deployed_model(self, revision_id: str) -> dict[str, Any]:
        """Return a DeployedModel (aiplatform v1), but for the version it is of."""
        options = self._options
        resources: dict[str, Any] = {"machineSpec": machine_spec(options), **scaling(options)}
        if options.spot:
            resources["spot"] = True
        deployed: dict[str, Any] = {"displayName": revision_id, "dedicatedResources": resources}
        if options.service_account:
            deployed["serviceAccount"] = options.service_account
        if options.access_logging:
            deployed["enableAccessLogging"] = True
        if not options.container_logging:
            deployed["disableContainerLogging"] = True
        digest = digest_of(options.extra, DEPLOYED)
        if digest:
            deployed["displayName"] = f"{revision_id} ({digest})"
        return merged(deployed, self._extra(DEPLOYED))

    def _container(self, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the ModelContainerSpec and the other extra fields of a Model."""
        fields = merged({"containerSpec": container_spec(self._options, model)}, self._extra(MODEL))
        spec: dict[str, Any] = fields.pop("containerSpec")
        return spec, fields

    def _extra(self, name: str) -> Mapping[str, Any]:
        return self._options.extra.get(name, {})

    def _scale(self, model: str, revision_id: str, placed: Placed) -> Action:
        step = ScaleModel(model, revision_id, placed.id, scaling(self._options))
        return planned(step, f"scale {revision_id} to {self._machines()}")

    def _first_traffic(
        self, model: str, revision_id: str, version: Version | None, snapshot: Snapshot
    ) -> list[Action]:
        """Plan the aliases of a revision that is live, or will be as the first on the endpoint."""
        shares = snapshot.endpoint.shares if snapshot.endpoint else {}
        if any(shares.values()):
            return (
                self._aliases(model, revision_id, version) if shares.get(revision_id) == 1.0 else []
            )
        # A deployment where nothing is live brings all traffic with it.
        actions = (
            [self._set_traffic(model, {revision_id: 100}, {})] if revision_id in shares else []
        )
        return [*actions, *self._aliases(model, revision_id, version)]

    def _prune(
        self, model: str, snapshot: Snapshot, kept: set[str], *, before: str | None = None
    ) -> list[Action]:
        """Plan to undeploy revisions without traffic, except `keep_idle` for a quick rollback."""
        if snapshot.endpoint is None:
            return []
        live = snapshot.holder(LIVE)
        way_back = before or (live.revision.id if live else None)
        idle = sorted(
            (v for v in snapshot.versions if v.revision.id not in kept),
            key=lambda v: (v.revision.id == way_back, PREVIOUS in v.aliases, int(v.number)),
            reverse=True,
        )
        deployed = [v for v in idle if snapshot.endpoint.placements(v.revision.id)]
        return [self._undeploy(model, v.revision.id) for v in deployed[self._options.keep_idle :]]

    def _set_traffic(
        self,
        model: str,
        traffic: Mapping[str, int],
        before: Mapping[str, float],
        live: str | None = None,
    ) -> Action:
        shares = ", ".join(f"{percent} % to {name}" for name, percent in sorted(traffic.items()))
        return planned(
            SetTraffic(model, dict(traffic), percents(before)),
            f"give the traffic of the endpoint {self._names.endpoint(model)}: {shares}",
            f"give it back to {live}" if live else "",
        )

    def _delete_version(self, model: str, revision_id: str, version: Version) -> Action:
        name = self._names.model(model)
        why = "which failed" if version.failed else "which another container served"
        return planned(
            DeleteVersion(model, revision_id, version.number),
            f"delete the older version {version.number} of the model {name}, {why}",
            name=f"delete-version-{version.number}",
        )

    def _aliases(self, model: str, revision_id: str, version: Version | None) -> list[Action]:
        if version and {LIVE, DEFAULT} <= version.aliases:
            return []
        return [self._set_aliases(model, revision_id)]

    def _set_aliases(self, model: str, revision_id: str) -> Action:
        name = self._names.model(model)
        sentence = f"give {revision_id} the aliases {LIVE} and {DEFAULT} of the model {name}"
        return planned(SetAliases(model, revision_id), sentence)

    def _undeploy(self, model: str, revision_id: str, placed: Placed | None = None) -> Action:
        deployment, name = placed.id if placed else "", self._names.endpoint(model)
        return planned(
            UndeployModel(model, revision_id, deployment),
            f"undeploy {revision_id}, which has no traffic, from the endpoint {name}"
            if placed is None
            else f"undeploy the older deployment {deployment} of {revision_id}",
            f"promote {revision_id}: it is deployed again then",
            name=f"undeploy-{deployment or revision_id}",
        )


def _with_traffic(snapshot: Snapshot) -> set[str]:
    shares = snapshot.endpoint.shares if snapshot.endpoint else {}
    return {name for name, share in shares.items() if share}
