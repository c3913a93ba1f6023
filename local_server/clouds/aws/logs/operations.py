"""The operations of CloudWatch Logs on groups and streams, and what containers write to.

Source: botocore's model of the service ("logs", 2014-03-28); the texts of errors that its
documentation does not have are those of moto 5, which replays the service's.
"""

from __future__ import annotations

from typing import Any

from ...pages import page
from ...resources import Document
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError
from ..protocol.json_app import Authorize, Handler, JsonApp
from .events import EventOperations, bad_parameter, group_of, no_group, no_stream
from .store import Group, LogStore, Stream

_TARGET = "Logs_20140328."
_PAGE = 50
_RETENTIONS = {
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
}  # fmt: skip
"""Days, from PutRetentionPolicy."""


class Logs:
    """CloudWatch Logs."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def app(self, authorize: Authorize | None = None) -> JsonApp:
        """Return the HTTP application."""
        handlers: dict[str, Handler] = {
            "CreateLogGroup": self.create_group,
            "CreateLogStream": self.create_stream,
            "DeleteLogGroup": self.delete_group,
            "DeleteLogStream": self.delete_stream,
            "DeleteRetentionPolicy": self.forget_retention,
            "DescribeLogGroups": self.describe_groups,
            "DescribeLogStreams": self.describe_streams,
            "PutRetentionPolicy": self.set_retention,
            **EventOperations(self._store).handlers(),
        }
        return JsonApp("logs", _TARGET, handlers, authorize=authorize)

    def create_group(self, region: str, body: Document) -> None:
        """Create a log group; raises AwsError if it exists."""
        for field in ("kmsKeyId", "tags", "deletionProtectionEnabled"):
            if body.get(field):
                raise bad_parameter(f"{field} of a log group is not available offline.")
        if body.get("logGroupClass", "STANDARD") != "STANDARD":
            raise bad_parameter(f"logGroupClass {body['logGroupClass']} is not available offline.")
        if not self._store.create_group(region, body["logGroupName"]):
            raise _exists("group")

    def create_stream(self, region: str, body: Document) -> None:
        """Create a log stream; raises AwsError if it exists or its group does not."""
        group = group_of(self._store, region, body)
        if not self._store.create_stream(region, group, body["logStreamName"]):
            raise _exists("stream")

    def delete_group(self, region: str, body: Document) -> None:
        """Delete a log group with its streams."""
        if not self._store.delete_group(region, body["logGroupName"]):
            raise no_group()

    def delete_stream(self, region: str, body: Document) -> None:
        """Delete a log stream."""
        group = group_of(self._store, region, body)
        if not self._store.delete_stream(region, group, body["logStreamName"]):
            raise no_stream()

    def set_retention(self, region: str, body: Document) -> None:
        """Keep the events of a group for some days; nothing is deleted offline."""
        days = body["retentionInDays"]
        if days not in _RETENTIONS:
            raise bad_parameter(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to"
                f" satisfy constraint: Member must satisfy enum value set: {sorted(_RETENTIONS)}"
            )
        if not self._store.set_retention(region, body["logGroupName"], days):
            raise no_group()

    def forget_retention(self, region: str, body: Document) -> None:
        """Keep the events of a group forever."""
        if not self._store.set_retention(region, body["logGroupName"], None):
            raise no_group()

    def describe_groups(self, region: str, body: Document) -> Document:
        """Return a page of groups, by prefix or by a part of the name."""
        prefix, part = body.get("logGroupNamePrefix", ""), body.get("logGroupNamePattern", "")
        if prefix and part:
            raise bad_parameter(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        groups = [
            (group.name, _shown_group(region, group))
            for group in self._store.groups(region)
            if group.name.startswith(prefix) and part.lower() in group.name.lower()
        ]
        return _page("logGroups", groups, body)

    def describe_streams(self, region: str, body: Document) -> Document:
        """Return a page of a group's streams, by name or by the time of their last event."""
        group, by = group_of(self._store, region, body), body.get("orderBy", "LogStreamName")
        prefix = body.get("logStreamNamePrefix", "")
        if prefix and by == "LastEventTime":
            raise bad_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = [one for one in self._store.streams(region, group) if one.name.startswith(prefix)]
        if by == "LastEventTime":
            streams.sort(key=lambda stream: stream.last or 0)
        if body.get("descending"):
            streams.reverse()
        shown = [(stream.name, _shown_stream(region, group, stream)) for stream in streams]
        return _page("logStreams", shown, body)


def _page(key: str, items: list[tuple[str, Document]], body: Document) -> Document:
    try:
        chosen, token = page(items, body.get("limit", _PAGE), body.get("nextToken"))
    except ValueError as error:
        raise bad_parameter("The specified nextToken is invalid.") from error
    return {key: chosen} | ({"nextToken": token} if token else {})


def _shown_group(region: str, group: Group) -> Document:
    arn = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group.name}"
    kept: dict[str, Any] = {} if group.retention is None else {"retentionInDays": group.retention}
    return {
        "logGroupName": group.name,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": group.size,
        "logGroupClass": "STANDARD",
        **kept,
    }


def _shown_stream(region: str, group: str, stream: Stream) -> Document:
    times = {
        "firstEventTimestamp": stream.first,
        "lastEventTimestamp": stream.last,
        "lastIngestionTime": stream.ingested,
    }
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "arn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group}:log-stream:{stream.name}",
        "storedBytes": 0,
        **{key: value for key, value in times.items() if value is not None},
    }


def _exists(kind: str) -> AwsError:
    text = f"The specified log {kind} already exists"
    return AwsError("ResourceAlreadyExistsException", text)
