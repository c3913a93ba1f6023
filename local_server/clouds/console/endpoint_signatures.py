"""The signatures of what an endpoint serves, for the form that sends it a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudserve.savedmodel.signature import Signature

from ...console.models_view import VersionCard, describe_signatures
from ...models import Manager
from ...status import StatusError
from ..aws.sagemaker.records import ENDPOINT
from ..resources import Resources
from ..vertex import records as vertex
from ..vertex.deployment.deployments import serving_key

_ARN = "arn:"
_PREDICT = "predict"
OfVariant = Callable[[str], Mapping[str, Signature]]
"""Returns the signatures of a SageMaker variant by its key in the container pool."""


@dataclass(frozen=True, slots=True)
class EndpointSignatures:
    """Finds what an endpoint's largest variant or deployed model can be asked."""

    resources: Resources
    manager: Manager
    of_variant: OfVariant

    def card(self, resource: str) -> VersionCard | None:
        """Return the predict signatures of an endpoint, by its ARN or resource name.

        None if it does not exist or serves nothing, and for containers that read requests of their
        own form: custom images, user's code, multi-model containers.
        """
        is_aws = resource.startswith(_ARN)
        found = self._of_sagemaker(resource) if is_aws else self._of_vertex(resource)
        if found is None:
            return None
        name, version, signatures = found
        cards = describe_signatures(tuple(signatures.values()))
        asked = tuple(card for card in cards if card.method == _PREDICT)
        return VersionCard(name, version, "", asked) if asked else None

    def _of_sagemaker(self, arn: str) -> tuple[str, str, Mapping[str, Signature]] | None:
        words = arn.split(":")
        region, name = words[3:4], words[-1].partition("/")[2]
        document = self.resources.get(ENDPOINT.table, f"{''.join(region)}/{name}")
        serving: Mapping[str, Any] = (document or {}).get("_serving") or {}
        variants = serving.get("variants", ())
        if not variants:
            return None
        largest = max(variants, key=lambda each: float(each["weight"]))
        return largest["name"], "", self.of_variant(f"{serving['id']}/{largest['name']}")

    def _of_vertex(self, name: str) -> tuple[str, str, Mapping[str, Signature]] | None:
        document = self.resources.get(vertex.ENDPOINT, name) or {}
        split: Mapping[str, int] = document.get("trafficSplit") or {}
        deployed = {each["id"]: each for each in document.get("deployedModels", ())}
        listed = [id_ for id_ in split if id_ in deployed]
        if not listed:
            return None
        largest = max(listed, key=lambda id_: split[id_])
        try:
            with self.manager.handle(serving_key(name, largest)) as servable:
                signatures = servable.model.signatures
        except StatusError:  # it is still loading, or runs a custom image
            return None
        model = deployed[largest]
        title = str(model.get("displayName") or largest)
        return title, str(model.get("modelVersionId", "")), signatures
