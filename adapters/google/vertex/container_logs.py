"""The output of an endpoint's containers, from Cloud Logging.

Prediction nodes log to the resource `aiplatform.googleapis.com/Endpoint` ("Use online prediction
logging"), with the id of the DeployedModel as a label. The filter is of the Logging query language,
which compares texts without regard to case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cloudserve.errors import UserError
from cloudserve.logs.contract import LogLine, LogQuery

from ..credentials import Access
from ..googleapi import Record
from .beside import BesideVertex

_PAGE = 1000
_DIGITS = 6
"""Of a second, in a datetime; Cloud Logging has nine."""


class ContainerLogs(BesideVertex):
    """Reads the entries of an endpoint's containers."""

    def __init__(
        self, endpoint: str, beside: str, project: str, region: str, access: Access
    ) -> None:
        super().__init__(("logging", "v2"), endpoint, beside, project, region, access)

    def read(
        self, endpoint: str, query: LogQuery, revisions: Mapping[str, str]
    ) -> tuple[LogLine, ...]:
        """Return the lines of an endpoint in the order of their times.

        `revisions` has the revisions by the ids of their DeployedModels; the lines of others have
        the id itself as their source.
        """
        lines = (_line(entry, revisions) for entry in self._entries(_filter(endpoint, query)))
        return tuple(line for line in lines if query.contains in line.text)

    def _entries(self, words: str) -> Iterator[Record]:
        self._check_place()
        body = {
            "resourceNames": [f"projects/{self._project}"],
            "filter": f'{words} AND resource.labels.location="{self._region}"',
            "orderBy": "timestamp asc",
            "pageSize": _PAGE,
        }
        entries: Any = self._service.entries()
        request = entries.list(body=body)
        where = f"{self._endpoint}/v2/entries:list"
        while request is not None:
            answer = self._execute(request, "read the log", where)
            yield from answer.get("entries", ())
            request = entries.list_next(request, answer)


def without_job_logs(where: str) -> UserError:
    """Return the error of a batch prediction job's log, which is not read."""
    return UserError(
        "the log of a batch prediction job of Vertex AI is not read here",
        where=where,
        hint="the errors of its instances are in the job's output directory",
    )


def _filter(endpoint: str, query: LogQuery) -> str:
    words = (
        'resource.type="aiplatform.googleapis.com/Endpoint"'
        f' AND resource.labels.endpoint_id="{endpoint}"'
        f' AND timestamp>="{query.since.isoformat()}"'
    )
    if not query.contains:
        return words
    quoted = query.contains.replace("\\", "\\\\").replace('"', '\\"')
    return f'{words} AND (jsonPayload.message:"{quoted}" OR textPayload:"{quoted}")'


def _line(entry: Record, revisions: Mapping[str, str]) -> LogLine:
    deployed = str(entry.get("labels", {}).get("deployed_model_id", ""))
    return LogLine(
        _time(str(entry["timestamp"])),
        revisions.get(deployed) or deployed,
        _text(entry).rstrip(),
        str(entry.get("insertId", "")),
        str(entry.get("severity", "")),
    )


def _text(entry: Record) -> str:
    payload = entry.get("jsonPayload", {})
    return str(entry.get("textPayload") or payload.get("message") or payload or "")


def _time(text: str) -> datetime:
    """Return a timestamp, whose fraction of a second has up to nine digits."""
    whole, point, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}{point}{fraction[:_DIGITS]}+00:00")
