"""The stored inference components."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import msgspec

from ....resources import Document
from ...protocol.arns import arn
from ..instance_sizes import Size
from ..records import COMPONENT, Records, Tag


class Status(StrEnum):
    """InferenceComponentStatus (SageMaker API reference, DescribeInferenceComponent)."""

    CREATING = "Creating"
    UPDATING = "Updating"
    DELETING = "Deleting"
    IN_SERVICE = "InService"
    FAILED = "Failed"


BUSY = frozenset({Status.CREATING, Status.UPDATING, Status.DELETING})


class Hosted(msgspec.Struct, kw_only=True, frozen=True):
    """A specification with the container that it names."""

    id: str
    specification: Document
    """As in the request."""
    container: Document
    """As in a model."""
    resolved: float
    """When its image was resolved."""
    isolated: bool = False

    @property
    def key(self) -> str:
        """Return its key in the container pool."""
        return f"component/{self.id}"

    @property
    def demand(self) -> Size:
        """Return what one copy needs."""
        needs = self.specification["ComputeResourceRequirements"]
        return Size(
            needs.get("NumberOfCpuCoresRequired", 0.0),
            needs["MinMemoryRequiredInMb"],
            needs.get("NumberOfAcceleratorDevicesRequired", 0.0),
        )


class Component(
    msgspec.Struct,
    kw_only=True,
    omit_defaults=True,
    rename={
        "name": "InferenceComponentName",
        "arn": "InferenceComponentArn",
        "endpoint": "EndpointName",
        "endpoint_arn": "EndpointArn",
        "variant": "VariantName",
        "created": "CreationTime",
        "modified": "LastModifiedTime",
        "status": "InferenceComponentStatus",
        "failure": "FailureReason",
        "copies": "_copies",
        "placed": "_placed",
        "running": "_running",
        "serving": "_serving",
        "pending": "_pending",
    },
):
    """A component; its stored document has the API's names, and "_" before internal ones."""

    name: str
    arn: str
    endpoint: str
    endpoint_arn: str
    variant: str
    created: float
    modified: float
    status: Status
    failure: str | None = None
    copies: int = 0
    """How many copies are wanted."""
    placed: int = 0
    """How many copies have a place on the instances."""
    running: int = 0
    """How many copies answer."""
    serving: Hosted | None = None
    pending: Hosted | None = None
    """What replaces the serving one."""

    @property
    def hosted(self) -> Hosted:
        """Return what Describe shows: what is being deployed, or serves."""
        hosted = self.pending or self.serving
        assert hosted is not None
        return hosted

    @property
    def place(self) -> Document:
        """Return the endpoint and the variant, as a request names them."""
        return {"EndpointName": self.endpoint, "VariantName": self.variant}

    def demands(self) -> list[Size]:
        """Return what its copies occupy; the old ones run until the new ones do."""
        old = [self.serving.demand] * self.running if self.serving and self.pending else []
        return [self.hosted.demand] * self.placed + old


class ComponentTable:
    """Reads and writes the components by region and name."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, region: str, component: Component, tags: list[Tag]) -> None:
        """Write a new component; raises AwsError if it exists."""
        document = msgspec.to_builtins(component)
        self._records.create(COMPONENT, region, component.name, document, tags)

    def find(self, region: str, name: str) -> Component | None:
        """Return a component, or None."""
        document = self._records.find(COMPONENT, region, name)
        return None if document is None else msgspec.convert(document, Component)

    def read(self, region: str, name: str) -> Component:
        """Return a component; raises AwsError if it does not exist."""
        return msgspec.convert(self._records.stored(COMPONENT, region, name), Component)

    @contextmanager
    def changing(self, region: str, name: str) -> Iterator[Component]:
        """Yield a component, and write it after the block, which must not await anything."""
        component = self.read(region, name)
        yield component
        self._records.put(COMPONENT, region, msgspec.to_builtins(component))

    def delete(self, region: str, name: str) -> None:
        """Remove a component and its tags."""
        self._records.delete(COMPONENT, region, name)

    def all(self, region: str = "") -> Iterator[tuple[str, Component]]:
        """Yield the components of a region, or of all regions, with their region."""
        prefix = f"{region}/" if region else ""
        for key, document in self._records.resources.list(COMPONENT.table, prefix):
            yield key.partition("/")[0], msgspec.convert(document, Component)

    def of_endpoint(self, region: str, endpoint: str) -> list[Component]:
        """Return the components of an endpoint."""
        return [each for _, each in self.all(region) if each.endpoint == endpoint]


def component_arn(region: str, name: str) -> str:
    """Return a component's ARN."""
    return arn(region, COMPONENT.arn, name)
