"""The work of deployments, as their operations store it."""

from __future__ import annotations

import msgspec

from ...resources import Document
from ..operations import Task


class Deploy(Task, frozen=True, tag="deploy"):
    """A deployment of a model to an endpoint."""

    endpoint: str
    deployed: Document = msgspec.field(name="deployedModel")
    split: dict[str, int] = msgspec.field(name="trafficSplit")


class Undeploy(Task, frozen=True, tag="undeploy"):
    """The end of a deployment."""

    endpoint: str
    id: str
    split: dict[str, int] = msgspec.field(name="trafficSplit")


class Mutate(Task, frozen=True, tag="mutate"):
    """A change of a deployment's scaling or logging."""

    endpoint: str
    fields: Document = msgspec.field(name="deployedModel")
    paths: list[str]
