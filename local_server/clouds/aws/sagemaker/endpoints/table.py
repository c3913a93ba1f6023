"""The stored endpoints: the fields that Describe shows, and the deployments behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import msgspec

from ....resources import Document, shown
from ...protocol.arns import arn
from ..records import ENDPOINT, Records, Tag
from .deployments import Deployment


class Status(StrEnum):
    """EndpointStatus of DescribeEndpoint (SageMaker API reference)."""

    CREATING = "Creating"
    UPDATING = "Updating"
    ROLLING_BACK = "RollingBack"
    DELETING = "Deleting"
    IN_SERVICE = "InService"
    FAILED = "Failed"
    UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"


BUSY = frozenset({Status.CREATING, Status.UPDATING, Status.ROLLING_BACK, Status.DELETING})


class Endpoint(
    msgspec.Struct,
    kw_only=True,
    omit_defaults=True,
    rename={
        "name": "EndpointName",
        "arn": "EndpointArn",
        "created": "CreationTime",
        "config": "EndpointConfigName",
        "status": "EndpointStatus",
        "modified": "LastModifiedTime",
        "failure": "FailureReason",
        "policy": "LastDeploymentConfig",
        "serving": "_serving",
        "pending": "_pending",
        "share": "_share",
        "phase": "_phase",
        "changes": "_changes",
        "mixed": "_mixed",
    },
):
    """An endpoint; its stored document has the API's names, and "_" before internal ones."""

    name: str
    arn: str
    created: float
    config: str
    status: Status
    modified: float
    failure: str | None = None
    policy: Document | None = None
    """The DeploymentConfig of the last creation or update that had one."""
    serving: Deployment | None = None
    pending: Deployment | None = None
    """The deployment that takes over."""
    share: float = 0.0
    """The pending deployment's share of the traffic."""
    phase: str | None = None
    """The pending deployment's status, as a variant's."""
    changes: list[Document] = []
    """The changes of weights and instance counts that are under way."""
    mixed: Deployment | None = None
    """The new fleet of an update whose rollback has failed; it serves beside the old one."""

    def shown(self) -> Document:
        """Return the fields that Describe and List show."""
        return shown(msgspec.to_builtins(self))


class EndpointTable:
    """Reads and writes the endpoints by region and name."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, region: str, endpoint: Endpoint, tags: list[Tag]) -> None:
        """Write a new endpoint; raises AwsError if it exists."""
        document = msgspec.to_builtins(endpoint)
        self._records.create(ENDPOINT, region, endpoint.name, document, tags)

    def find(self, region: str, name: str) -> Endpoint | None:
        """Return an endpoint, or None."""
        document = self._records.find(ENDPOINT, region, name)
        return None if document is None else msgspec.convert(document, Endpoint)

    def read(self, region: str, name: str) -> Endpoint:
        """Return an endpoint; raises AwsError if it does not exist."""
        return msgspec.convert(self._records.stored(ENDPOINT, region, name), Endpoint)

    def write(self, region: str, endpoint: Endpoint) -> None:
        """Replace an endpoint."""
        self._records.put(ENDPOINT, region, msgspec.to_builtins(endpoint))

    @contextmanager
    def changing(self, region: str, name: str) -> Iterator[Endpoint]:
        """Yield an endpoint, and write it after the block, which must not await anything."""
        endpoint = self.read(region, name)
        yield endpoint
        self.write(region, endpoint)

    def delete(self, region: str, name: str) -> None:
        """Remove an endpoint and its tags."""
        self._records.delete(ENDPOINT, region, name)

    def all(self, region: str = "") -> Iterator[tuple[str, Endpoint]]:
        """Yield the endpoints of a region, or of all regions, with their region."""
        prefix = f"{region}/" if region else ""
        for key, document in self._records.resources.list(ENDPOINT.table, prefix):
            yield key.partition("/")[0], msgspec.convert(document, Endpoint)


def endpoint_arn(region: str, name: str) -> str:
    """Return an endpoint's ARN."""
    return arn(region, ENDPOINT.arn, name)
