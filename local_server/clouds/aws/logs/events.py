"""The operations of CloudWatch Logs on events: put, get, filter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...resources import Document
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError
from ..protocol.json_app import Handler
from .filter_pattern import matcher
from .store import END, Event, LogStore, Span, Stream

_MOST_EVENTS = 10_000
_MOST_BYTES, _BYTES_OF_AN_EVENT = 1_048_576, 26
_HOUR, _DAY = 3_600_000, 86_400_000
_TOKEN = re.compile(r"([fb])/(\d{1,19})/(\d{1,19})/s")
_CHUNK = 1000
"""The events that are read from the store at once by a filter."""


class EventOperations:
    """The operations on events."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        """Return the operations by name."""
        return {
            "FilterLogEvents": self.filter,
            "GetLogEvents": self.get,
            "PutLogEvents": self.put,
        }

    def put(self, region: str, body: Document) -> Document:
        """Append events to a stream; too old and too new ones are rejected."""
        group = group_of(self._store, region, body)
        stream = self._stream(region, group, body["logStreamName"])
        events = [(event["timestamp"], event["message"]) for event in body["logEvents"]]
        _check_batch(events)
        now = self._store.now()
        oldest = sum(time < now - 14 * _DAY for time, _ in events)
        newest = next((i for i, (time, _) in enumerate(events) if time > now + 2 * _HOUR), None)
        valid = events[oldest:newest]
        if valid and valid[-1][0] - valid[0][0] > _DAY:
            raise bad_parameter(
                "The batch of log events in a single PutLogEvents request cannot span more than 24"
                " hours."
            )
        self._store.add(region, group, stream.name, valid)
        rejected: Document = {} if newest is None else {"tooNewLogEventStartIndex": newest}
        rejected |= {"tooOldLogEventEndIndex": oldest} if oldest else {}
        token = {"nextSequenceToken": f"{now:056}"}
        return token | ({"rejectedLogEventsInfo": rejected} if rejected else {})

    def get(self, region: str, body: Document) -> Document:
        """Return a page of a stream's events, with tokens that lead on in both directions.

        At an end of the stream the answer has the token of the request.
        """
        group = group_of(self._store, region, body)
        stream = self._stream(region, group, body["logStreamName"])
        token = body.get("nextToken")
        span = _span(body, body.get("endTime"))
        newest = not body.get("startFromHead", False)
        place = (0, 0)
        if token is not None:
            direction, place = _read(token)
            newest = direction == "b"
            span = _from(span, place, newest=newest)
        events = _fitting(
            self._store.events([stream.id], span, body.get("limit", _MOST_EVENTS), newest=newest),
            newest=newest,
        )
        first = events[0].place if events else place
        last = events[-1].place if events else place
        shown = [_shown(event) for event in events]
        return {
            "events": shown,
            "nextForwardToken": _token("f", last),
            "nextBackwardToken": _token("b", first),
        }

    def filter(self, region: str, body: Document) -> Document:
        """Return a page of the events of a group's streams that match a pattern, in their order."""
        group = group_of(self._store, region, body)
        if not body.get("startFromHead", True):
            raise bad_parameter(
                "startFromHead of FilterLogEvents as false is not available offline."
            )
        streams = self._chosen(region, group, body)
        matches = matcher(body.get("filterPattern", ""))
        until = body.get("endTime")
        span = _span(body, None if until is None else until + 1)
        if "nextToken" in body:
            span = _from(span, _read(body["nextToken"])[1], newest=False)
        found: list[Event] = []
        limit = body.get("limit", _MOST_EVENTS)
        while events := self._store.events([one.id for one in streams], span, _CHUNK):
            found += [event for event in events if matches(event.message)]
            span = _from(span, events[-1].place, newest=False)
            if len(found) > limit:
                break
        chosen = _fitting(found[:limit], newest=False)
        answer: Document = {"events": [_shown(event) | _identity(event) for event in chosen]}
        answer["searchedLogStreams"] = []
        is_more = len(chosen) < len(found)
        return answer | ({"nextToken": _token("f", chosen[-1].place)} if is_more else {})

    def _chosen(self, region: str, group: str, body: Document) -> list[Stream]:
        names, prefix = body.get("logStreamNames"), body.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            raise bad_parameter(
                "The logStreamNamePrefix and logStreamNames parameters cannot be used together."
            )
        if names is not None:
            return [self._stream(region, group, name) for name in names]
        streams = self._store.streams(region, group)
        return [stream for stream in streams if stream.name.startswith(prefix or "")]

    def _stream(self, region: str, group: str, name: str) -> Stream:
        stream = self._store.stream(region, group, name)
        if stream is None:
            raise no_stream()
        return stream


def _check_batch(events: Sequence[tuple[int, str]]) -> None:
    times = [time for time, _ in events]
    if times != sorted(times):
        raise bad_parameter(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    size = sum(len(message.encode()) + _BYTES_OF_AN_EVENT for _, message in events)
    if size > _MOST_BYTES:
        raise bad_parameter(f"Upload too large: {size} bytes exceeds limit of {_MOST_BYTES}")


def _fitting(events: list[Event], *, newest: bool) -> list[Event]:
    """Return the events of the direction's start that fit into an answer of 1 MB."""
    left, chosen = _MOST_BYTES, 0
    for event in reversed(events) if newest else events:
        left -= len(event.message.encode()) + _BYTES_OF_AN_EVENT
        if left < 0 and chosen:
            break
        chosen += 1
    return events[len(events) - chosen :] if newest else events[:chosen]


def _span(body: Document, until: int | None) -> Span:
    since = body.get("startTime", 0)
    return Span(since) if until is None else Span(since, min(until, END))


def _from(span: Span, place: tuple[int, int], *, newest: bool) -> Span:
    """Return what lies beyond a place of a span: before it, or after it."""
    if newest:
        return Span(span.since, span.until, before=place)
    return Span(span.since, span.until, after=place)


def _token(direction: str, place: tuple[int, int]) -> str:
    return f"{direction}/{place[0]:019}/{place[1]:019}/s"


def _read(token: str) -> tuple[str, tuple[int, int]]:
    match = _TOKEN.fullmatch(token)
    if match is None or max(int(match[2]), int(match[3])) > END:
        raise bad_parameter("The specified nextToken is invalid.")
    return match[1], (int(match[2]), int(match[3]))


def _shown(event: Event) -> Document:
    return {
        "timestamp": event.time,
        "message": event.message,
        "ingestionTime": event.ingested,
    }


def _identity(event: Event) -> Document:
    return {"logStreamName": event.stream, "eventId": f"{event.time:020}{event.id:036}"}


def group_of(store: LogStore, region: str, body: Document) -> str:
    """Return the name of a request's group; raises AwsError if there is none.

    Describing and reading operations take its name or its ARN.
    """
    name, identifier = body.get("logGroupName"), body.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise bad_parameter("Either logGroupName or logGroupIdentifier is required, not both.")
    arn = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:"
    group: str = name or (identifier or "").removeprefix(arn).removesuffix(":*")
    if not store.has_group(region, group):
        raise no_group()
    return group


def bad_parameter(message: str) -> AwsError:
    """Return the service's error for a wrong parameter."""
    return AwsError("InvalidParameterException", message)


def no_group() -> AwsError:
    """Return the service's error for an unknown group."""
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> AwsError:
    """Return the service's error for an unknown stream."""
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
