"""The last lines that an endpoint's containers logged, from CloudWatch Logs.

SageMaker logs into the group `/aws/sagemaker/Endpoints/NAME`, a stream `VARIANT/INSTANCE` for each
container (SageMaker developer guide, "Logs for Amazon SageMaker AI").
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from botocore.config import Config

from cloudserve.errors import CloudserveError

from ...errors import translated
from ...session import Access

GROUP = "/aws/sagemaker/Endpoints/"
LINES = 10
STREAMS = 50
"""The streams of a variant among which the newest is searched: one page of the API."""
# A failure is reported at once: a log service that does not answer must not delay it.
QUICK = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})


class Logs:
    """Reads container logs; never fails, because it is called while another error is raised."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def tail(self, endpoint: str, variant: str = "") -> tuple[str, ...]:
        """Return the last lines of the stream that logged last, of a variant where one is named.

        If no log can be read, the only line says why.
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


def _last(stream: Mapping[str, Any]) -> int:
    return int(stream.get("lastEventTimestamp", 0))
