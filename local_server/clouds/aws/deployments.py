"""A deployment: an endpoint configuration's variants with their models, loaded all or not at all.

It is a copy of what the configuration and its models said when it was made, so that an endpoint
outlives them, as on AWS, and can be loaded again after a restart.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError

from ..objects.store import ObjectStore
from ..resources import Document
from ..serving import Servable, Serving, reason
from . import bundles
from .sagemaker_models import source_of
from .sagemaker_records import MODEL, Records

logger = logging.getLogger(__name__)


class DeploymentError(ModelError):
    """A deployment could not be loaded; the message is the endpoint's FailureReason."""


def make(records: Records, region: str, config: Mapping[str, Any]) -> Document:
    """Copy a configuration and its models; raises AwsError for a missing model."""
    variants = [
        {
            "name": variant["VariantName"],
            "weight": variant["InitialVariantWeight"],
            "count": variant.get("InitialInstanceCount", 0),
            "serverless": variant.get("ServerlessConfig"),
            "container": _container(records, region, variant["ModelName"]),
        }
        for variant in config["ProductionVariants"]
    ]
    # Each deployment loads under keys of its own: the old one serves until the new one does.
    return {
        "id": uuid.uuid4().hex,
        "config": config["EndpointConfigName"],
        "created": records.now(),
        "variants": variants,
    }


def _container(records: Records, region: str, model: str) -> Document:
    container: Document = records.stored(MODEL, region, model)["PrimaryContainer"]
    return container


def key(deployment: Mapping[str, Any], variant: str) -> str:
    """Return the key that a variant's models are loaded under."""
    return f"sagemaker/{deployment['id']}/{variant}"


def summaries(deployment: Mapping[str, Any]) -> list[Document]:
    """Return the variants as DescribeEndpoint shows them."""
    return [_summary(variant, deployment["created"]) for variant in deployment["variants"]]


def _summary(variant: Mapping[str, Any], created: float) -> Document:
    image = variant["container"]["Image"]
    summary: Document = {
        "VariantName": variant["name"],
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": created}
        ],
        "CurrentWeight": variant["weight"],
        "DesiredWeight": variant["weight"],
    }
    if variant["serverless"]:
        settings = {
            "CurrentServerlessConfig": variant["serverless"],
            "DesiredServerlessConfig": variant["serverless"],
        }
        return summary | settings
    return summary | {
        "CurrentInstanceCount": variant["count"],
        "DesiredInstanceCount": variant["count"],
    }


class Loader:
    """Loads and frees deployments."""

    def __init__(self, store: ObjectStore, serving: Serving) -> None:
        self._store = store
        self._serving = serving

    async def load(self, deployment: Mapping[str, Any]) -> None:
        """Load every variant; raises DeploymentError, and then none is loaded."""
        try:
            for variant in deployment["variants"]:
                await self._load_variant(deployment, variant)
        except BaseException:
            await self.unload(deployment)
            raise

    async def _load_variant(
        self, deployment: Mapping[str, Any], variant: Mapping[str, Any]
    ) -> None:
        variant_key = key(deployment, variant["name"])

        def lay(folder: Path) -> list[Servable]:
            tree = self._lay_tree(folder, variant["container"])
            return [
                Servable(f"{variant_key}/{found.model}", found.version, found.path)
                for found in bundles.find(tree)
            ]

        try:
            await self._serving.load(variant_key, lay)
        except Exception as error:
            logger.warning("%s failed to load: %s", variant_key, error)
            raise DeploymentError(
                f"The primary container for production variant {variant['name']} did not pass the"
                f" ping health check. {reason(error)}"
            ) from error

    def _lay_tree(self, folder: Path, container: Mapping[str, Any]) -> Path:
        source, tree = source_of(container), folder / "model"
        if source.key.endswith("/"):
            self._store.checkout(source.bucket, source.key, tree)
        else:
            archive = self._store.path(self._store.get(source.bucket, source.key))
            tree.mkdir()
            bundles.unpack(archive, tree)
        return tree

    async def unload(self, deployment: Mapping[str, Any]) -> None:
        """Free every variant; requests under way end first."""
        for variant in deployment["variants"]:
            await self._serving.unload(key(deployment, variant["name"]))

    def is_loaded(self, deployment: Mapping[str, Any]) -> bool:
        """Say whether every variant serves."""
        names = [variant["name"] for variant in deployment["variants"]]
        return all(self._serving.loaded(key(deployment, name)) for name in names)
