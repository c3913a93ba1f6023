"""The HTTP application of Cloud Logging (logging v2): entries of projects.

Source: Google's discovery document of logging v2, `LogEntry.logName` among them; the words about
an entry's size are the service's (googleapis/nodejs-logging#520), which has its own encoding:
MessagePack is as near as JSON is, and has no escapes that make a text of lines twice as large.
Buckets, views, sinks, metrics and tailing are refused by name.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import msgspec

from ....status import Code, StatusError
from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...offers import Offers, offers
from ...pages import decode_token, encode_token
from ...resources import Document
from ..common.app import read_body
from ..common.discovery import Call, load
from ..common.errors import ApiError, error_response, json_response
from ..common.messages import writable
from ..common.permissions import Denied
from ..monitoring.times import timestamp
from .comparisons import SEVERITIES, timestamp_bound
from .query_language import read_query
from .store import EntryStore, Place

_PATH = re.compile(r"/v2/.+")
_PROJECT = re.compile(r"projects/([^/]+)")
_LOG = re.compile(r"projects/([^/]+)/logs/((?:[A-Za-z0-9_.-]|%2[Ff])+)")
_LONGEST_LOG = 511
_LARGEST_ENTRY = 256 * 1024
_BODY = 10 * 2**20
_PAGE, _MOST = 50, 1000
_LAST = 2**63 - 1
"""The highest number of an entry."""
_PAYLOADS = ("textPayload", "jsonPayload", "protoPayload")
Handler = Callable[[Call, Document], Document]


def is_logging(head: Head) -> bool:
    """Return whether a request is for Cloud Logging."""
    return _PATH.fullmatch(head.path) is not None


class CloudLogging:
    """The logging v2 application on one store."""

    def __init__(
        self, store: EntryStore, now: Callable[[], float], denied: Denied | None = None
    ) -> None:
        self._denied = denied or Denied()
        self._store = store
        self._now = now
        self._api = load("logging", "v2")
        self._handlers: Mapping[str, Handler] = {
            "logging.entries.list": self.list_entries,
            "logging.entries.write": self.write,
            "logging.logs.list": self.list_logs,
        }

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("logging", self._handlers)

    def body_limit(self, head: Head) -> int | None:
        """Buffer bodies up to 10 MiB."""
        return collect_limit(head, _BODY)

    async def handle(self, request: Request) -> Response:
        """Answer one request; errors are google.rpc.Status JSON."""
        try:
            body = await collect(request, _BODY)
            head = request.head
            call = self._api.match(head.method, head.path, head.query)
            self._denied.check(call)
            handler = self._handlers.get(call.method.id)
            if handler is None:
                name = call.method.id.removeprefix("logging.")
                raise ApiError(Code.UNIMPLEMENTED, f"{name} is not available offline.")
            message = read_body(self._api, call, body)
            return json_response(handler(call, message))
        except BodyTooLargeError:
            return error_response(ApiError(Code.INVALID_ARGUMENT, "Request payload is too large."))
        except StatusError as error:
            return error_response(error)

    def failed(self, _: Head) -> Response:
        """Return the response to a request that failed for a reason of this server."""
        return error_response(ApiError(Code.INTERNAL, "Internal error encountered."))

    def list_entries(self, _call: Call, body: Document) -> Document:
        """Return a page of the entries that match."""
        project = _only_project(body)
        query = read_query(body.get("filter", ""))
        order = body.get("orderBy", "") or "timestamp asc"
        if order not in {"timestamp asc", "timestamp desc"}:
            raise _invalid(f'"{order}" is not a valid order_by.')
        size = min(body.get("pageSize", 0) or _PAGE, _MOST)
        if size < 0:
            raise _invalid("page_size must not be negative.")
        found: list[tuple[Place, Document]] = []
        after = _place(body.get("pageToken", ""))
        entries = self._store.entries(
            project, query.since, after, descending=order.endswith("desc")
        )
        for place, entry in entries:
            if query.matches(entry):
                found.append((place, entry))
            if len(found) > size:
                break
        shown: Document = {"entries": [entry for _, entry in found[:size]]} if found else {}
        if len(found) > size:
            time, number = found[size - 1][0]
            shown["nextPageToken"] = encode_token(f"{time} {number}")
        return shown

    def write(self, _call: Call, body: Document) -> Document:
        """Append entries, each of which gets the request's defaults; all or none."""
        entries = [self._entry(entry, body) for entry in body.get("entries", ())]
        by_project: dict[str, list[Document]] = {}
        for entry in entries:
            match = _LOG.fullmatch(entry["logName"])
            if match is None or len(unquote(match[2])) > _LONGEST_LOG:
                raise _invalid(f'"{entry["logName"]}" is not a log of a project.')
            by_project.setdefault(match[1], []).append(entry)
        if not body.get("dryRun"):
            self._store.add_all(by_project)
        return {}

    def _entry(self, entry: Document, defaults: Document) -> Document:
        entry = writable(self._api.schemas, "LogEntry", entry)
        if sum(payload in entry for payload in _PAYLOADS) != 1:
            raise _invalid("A log entry needs one payload: text_payload or json_payload.")
        resource = entry.get("resource") or defaults.get("resource")
        if not resource:
            raise _invalid("A log entry needs a resource.")
        size = len(msgspec.msgpack.encode(entry))
        if size > _LARGEST_ENTRY:
            text = f"Log entry with size {_written(size)} exceeds maximum size of 256.0K"
            raise _invalid(text)
        now = timestamp(self._now())
        severity = entry.get("severity", "DEFAULT")
        if severity not in SEVERITIES:
            raise _invalid(f'"{severity}" is not a severity.')
        return {
            **entry,
            "logName": entry.get("logName") or defaults.get("logName", ""),
            "resource": resource,
            "labels": {**defaults.get("labels", {}), **entry.get("labels", {})},
            "insertId": entry.get("insertId") or secrets.token_hex(8),
            "severity": severity,
            "timestamp": _time(entry.get("timestamp") or now),
            "receiveTimestamp": timestamp_bound(now),
        }

    def list_logs(self, call: Call, _body: Document) -> Document:
        """Return the names of a project's logs that have entries."""
        project = _project(call.path["parent"])
        entries = self._store.entries(project, "", None, descending=False)
        names = sorted({entry["logName"] for _, entry in entries})
        return {"logNames": names} if names else {}


def _only_project(body: Document) -> str:
    names = [*body.get("resourceNames", ()), *(f"projects/{p}" for p in body.get("projectIds", ()))]
    if not names:
        raise _invalid("resource_names must have at least one name.")
    if len(names) > 1:
        raise _invalid("Entries of several resource names are not available offline.")
    return _project(names[0])


def _project(name: str) -> str:
    match = _PROJECT.fullmatch(name)
    if match is None:
        raise _invalid(f'Logs of "{name}" are not available offline: name a project.')
    return match[1]


def _place(token: str) -> Place | None:
    if not token:
        return None
    try:
        time, _, number = decode_token(token).partition(" ")
        return timestamp_bound(time), min(int(number), _LAST)
    except (ValueError, ApiError) as error:
        raise _invalid("page_token is invalid.") from error


def _time(text: str) -> str:
    try:
        return timestamp_bound(text)
    except ApiError as error:
        raise _invalid(f'"{text}" is not a timestamp.') from error


def _written(size: int) -> str:
    kilobytes = size / 1024
    return f"{kilobytes:.1f}K" if kilobytes < 1024 else f"{kilobytes / 1024:.2f}M"  # noqa: PLR2004


def _invalid(message: str) -> ApiError:
    return ApiError(Code.INVALID_ARGUMENT, message)
