"""The log entries of Vertex AI's prediction containers.

Container logging has the output of prediction nodes, in the log `prediction_container` of the
resource `aiplatform.googleapis.com/Endpoint` ("Use online prediction logging"); it is on unless
DeployedModel.disableContainerLogging. Vertex AI gives lines of stderr the severity ERROR; here
both streams of a command are one, whose lines are INFO.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from ....child_processes import WriteLine, ignore
from ..monitoring.times import timestamp
from .comparisons import timestamp_bound
from .store import EntryStore

LOG = "aiplatform.googleapis.com%2Fprediction_container"


class ContainerLogs:
    """Writes the entries of deployed models."""

    def __init__(self, store: EntryStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    def of(self, endpoint: str, deployed: Mapping[str, Any], severity: str = "INFO") -> WriteLine:
        """Return a function that writes a line of a deployed model's container."""
        if deployed.get("disableContainerLogging"):
            return ignore
        _, project, _, location, _, endpoint_id = endpoint.split("/")
        labels = {
            "endpoint_id": endpoint_id,
            "location": location,
            "resource_container": f"projects/{project}",
        }
        entry = {
            "logName": f"projects/{project}/logs/{LOG}",
            "resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": labels},
            "labels": {"deployed_model_id": deployed["id"], "replica_id": "0"},
            "severity": severity,
        }

        def write(line: str) -> None:
            now = timestamp_bound(timestamp(self._now()))
            times = {"timestamp": now, "receiveTimestamp": now}
            identity = {"insertId": secrets.token_hex(8), "jsonPayload": {"message": line}}
            self._store.add(project, [{**entry, **times, **identity}])

        return write
