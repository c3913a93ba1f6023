"""The lines that containers of endpoints and jobs logged, from CloudWatch Logs.

SageMaker logs into the group `/aws/sagemaker/Endpoints/NAME`, a stream `VARIANT/INSTANCE` for each
container; transform jobs into `/aws/sagemaker/TransformJobs`, `JOB/INSTANCE-TIME` (SageMaker
developer guide, "Logs for Amazon SageMaker AI").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from botocore.config import Config

from cloudserve.errors import CloudserveError
from cloudserve.logs.contract import LogLine, LogQuery

from ...errors import translated
from ...session import Access

GROUP = "/aws/sagemaker/Endpoints/"
JOBS = "/aws/sagemaker/TransformJobs"
LINES = 10
STREAMS = 50
"""The streams of a variant among which the newest is searched: one page of the API."""
# A failure is reported at once: a log service that does not answer must not delay it.
QUICK = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})


class Logs:
    """Reads container logs."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def read(self, endpoint: str, query: LogQuery) -> tuple[LogLine, ...]:
        """Return the lines of an endpoint in the order of their times."""
        return self._read(f"{GROUP}{endpoint}", query)

    def read_job(self, query: LogQuery) -> tuple[LogLine, ...]:
        """Return the lines of a transform job in the order of their times."""
        return self._read(JOBS, query, logStreamNamePrefix=f"{query.job}/")

    def endpoints(self, prefix: str) -> tuple[str, ...]:
        """Return the names of the endpoints that logged and begin with a prefix."""
        with translated("list the logs of endpoints", self._access.where("logs")):
            pages = self._access.client("logs").get_paginator("describe_log_groups")
            groups = pages.paginate(logGroupNamePrefix=f"{GROUP}{prefix}")
            return tuple(
                str(group["logGroupName"]).removeprefix(GROUP)
                for page in groups
                for group in page["logGroups"]
            )

    def _read(self, group: str, query: LogQuery, **more: str) -> tuple[LogLine, ...]:
        since = int(query.since.timestamp() * 1000)
        arguments: dict[str, Any] = {"logGroupName": group, "startTime": since, **more}
        if query.contains:
            quoted = query.contains.replace("\\", "\\\\").replace('"', '\\"')
            arguments["filterPattern"] = f'"{quoted}"'
        client = self._access.client("logs")
        with translated(f"read the log {group}", self._access.where("logs")):
            pages = client.get_paginator("filter_log_events").paginate(**arguments)
            try:
                return tuple(_line(event) for page in pages for event in page["events"])
            except client.exceptions.ResourceNotFoundException:  # no container has started yet
                return ()

    def tail(self, endpoint: str, variant: str = "") -> tuple[str, ...]:
        """Return the last lines of the stream that logged last, of a variant where one is named.

        Never fails, because it is called while another error is raised: if no log can be read,
        the only line says why.
        """
        group = f"{GROUP}{endpoint}"
        try:
            with translated(f"read the log {group}", self._access.where("logs")):
                return self._tail(group, variant)
        except CloudserveError as error:
            return (f"no log to show: {error.message}",)

    def _tail(self, group: str, variant: str) -> tuple[str, ...]:
        narrowed = {"logStreamNamePrefix": f"{variant}/"} if variant else {}
        answer = self._client.describe_log_streams(logGroupName=group, limit=STREAMS, **narrowed)
        streams = answer["logStreams"]
        if not streams:
            return (f"no log to show: nothing of {variant or 'it'} logged to {group}",)
        stream = max(streams, key=_last)["logStreamName"]
        events = self._client.get_log_events(
            logGroupName=group, logStreamName=stream, limit=LINES, startFromHead=False
        )["events"]
        lines = (str(event["message"]).rstrip() for event in events)
        return (f"the last lines of the log {group}, {stream}:", *(f"  {line}" for line in lines))

    @cached_property
    def _client(self) -> Any:
        return self._access.client("logs", QUICK)


def _line(event: Mapping[str, Any]) -> LogLine:
    time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    text = str(event["message"]).rstrip()
    return LogLine(time, event["logStreamName"], text, event["eventId"])


def _last(stream: Mapping[str, Any]) -> int:
    return int(stream.get("lastEventTimestamp", 0))
