"""What SageMaker has of a model beside its revisions, and what keeps a revision.

An endpoint configuration is unused if no endpoint of the region has it, or is being updated to it
(API reference, `DeleteEndpointConfig`: do not delete the configuration of a live endpoint).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudserve.release.collection import Hold
from cloudserve.release.types import Action, Reading

from ..context import AwsContext
from ..model_registry import Packages
from ..records import Endpoint, model_name, revision_id_of
from ..snapshot import snapshot_of
from .undeploy import delete_config, names_one_of, owned_configs

KEEP = "cloudserve-keep"
"""The tag of a SageMaker Model that a person gives to keep a revision."""


class Leftovers:
    """Reads and plans for one target."""

    def __init__(self, context: AwsContext, packages: Packages) -> None:
        self._aws = context
        self._packages = packages

    def holds(self, reading: Reading) -> dict[str, Hold]:
        """Return why revisions stay: a tag, another endpoint, a registered model package."""
        model, snapshot = reading.deployment.model, snapshot_of(reading)
        revisions = [deployed.revision for deployed in reading.deployment.revisions]
        found = {
            revision.id: Hold("a model package of the target's group names its files", True)
            for revision in revisions
            if self._packages.has(model, revision)
        }
        base = self._aws.names.endpoint(model)
        own = {base, *(model_name(base, revision.id) for revision in revisions)}
        for endpoint in self._endpoints():
            if endpoint.name not in own:
                for name in self._served(endpoint, base):
                    found[name] = Hold(f"the endpoint {endpoint.name} serves it")
        for name, tagged in snapshot.models.items():
            if KEEP in tagged.tags:
                found[name] = Hold(f"its SageMaker Model has the tag {KEEP}")
        return found

    def plan(self, reading: Reading, going: Sequence[str]) -> tuple[Action, ...]:
        """Plan to delete the configurations that no endpoint uses and that name no going model."""
        model, main = reading.deployment.model, snapshot_of(reading).endpoint
        base = self._aws.names.endpoint(model)
        names = {model_name(base, revision_id) for revision_id in going}
        configs = [
            config
            for config in owned_configs(self._aws.api, self._aws.owned, base, model, (main,))
            if not names_one_of(config, names)
        ]
        used = self._used() if configs else set()
        return tuple(
            delete_config(config, model)
            for config in configs
            if config["EndpointConfigName"] not in used
        )

    def _used(self) -> set[str]:
        return {name for e in self._endpoints() for name in (e.config, e.pending) if name}

    def _endpoints(self) -> Iterator[Endpoint]:
        """Yield the endpoints of the region, whoever owns them."""
        for arn in self._aws.api.endpoint_arns():
            endpoint = self._aws.api.endpoint(arn.rpartition("/")[2])
            if endpoint is not None:
                yield endpoint

    def _served(self, endpoint: Endpoint, base: str) -> Iterator[str]:
        coming = self._aws.api.variants(endpoint.pending) if endpoint.pending else ()
        for spec in (*endpoint.variants, *endpoint.shadows, *coming):
            revision_id = revision_id_of(str(spec.get("ModelName", "")), base)
            if revision_id:
                yield revision_id
