"""Reading and following the logs of a model on a target."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cloudserve import registry
from cloudserve.errors import UserError
from cloudserve.logs.contract import LoggingProvider, LogLine, LogQuery
from cloudserve.project import Project
from cloudserve.release.destination import Destination, destination_of

LATE = timedelta(seconds=30)
"""How long after its time a line may appear: so much is read again while a log is followed.

CloudWatch Logs and Cloud Logging take lines in within seconds, and promise no bound.
"""


def open_logs(
    project: Project,
    model: str,
    target: str,
    environ: Mapping[str, str] | None = None,
    announce: Callable[[Destination], None] | None = None,
) -> Callable[[LogQuery], Sequence[LogLine]]:
    """Return a function that reads the lines of a model on a target.

    `announce` is called with the destination first. Raises UserError for a target whose platform
    keeps no logs.
    """
    name, place = project.model(model).name, project.target(target)
    provider = registry.provider(place, os.environ if environ is None else environ)
    if not isinstance(provider, LoggingProvider):
        raise UserError(
            f"a target of `{place.provider}` has no logs that can be read here",
            where=place.where,
            hint="use a target of `sagemaker` or `vertex`, or the platform's own console",
        )
    if announce is not None:
        announce(destination_of(place, provider.destination()))
    return lambda query: provider.read_logs(name, query)


def follow(
    read: Callable[[LogQuery], Sequence[LogLine]],
    query: LogQuery,
    wait: Callable[[], bool],
    tail: int | None = None,
) -> Iterator[LogLine]:
    """Yield the lines, each once, and new ones as they appear.

    `wait` pauses between two readings, and returns whether to continue. Of the first reading, only
    the last `tail` lines are yielded.
    """
    known: dict[str, LogLine] = {}
    newest, first = query.since, -tail if tail else None
    while True:
        found = read(replace(query, since=max(query.since, newest - LATE)))
        fresh = {line.id: line for line in found if line.id not in known}
        newest = max([newest, *(line.time for line in fresh.values())])
        yield from list(fresh.values())[first:]
        first = None
        known |= fresh
        known = {key: line for key, line in known.items() if line.time >= newest - LATE}
        if not wait():
            return
