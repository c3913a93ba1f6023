"""The output of an endpoint's containers, or of a transform job's."""

from __future__ import annotations

import re

from cloudserve.errors import UserError
from cloudserve.logs.contract import LogLine, LogQuery

from ..context import AwsContext
from ..records import REVISION_ID

_OF_REVISION = re.compile(rf"-(?P<revision>{REVISION_ID.pattern})")


def read_logs(context: AwsContext, model: str, query: LogQuery) -> tuple[LogLine, ...]:
    """Return the lines in the order of their times.

    A staged target has an endpoint for each revision: the lines of all are put together. Raises
    ConflictError for the endpoint of another owner, UserError for a job of another.
    """
    if query.job:
        _check_job(context, model, query.job)
        return context.api.logs.read_job(query)
    context.owned.check_reader(model)
    endpoint = context.names.endpoint(model)
    if not context.options.staged:
        return context.api.logs.read(endpoint, query)
    sources = {"": endpoint}
    for name in context.api.logs.endpoints(endpoint):
        match = _OF_REVISION.fullmatch(name.removeprefix(endpoint))
        if match:
            sources[f"{match['revision']}/"] = name
    lines = [
        LogLine(line.time, f"{source}{line.source}", line.text, line.id)
        for source, name in sources.items()
        for line in context.api.logs.read(name, query)
    ]
    return tuple(sorted(lines, key=lambda line: line.time))


def _check_job(context: AwsContext, model: str, job: str) -> None:
    description = context.api.transform_job(job)
    arn = description.get("TransformJobArn", "")
    if not arn or not context.owned.is_marked(model, context.api.tags(arn)):
        raise UserError(
            f"{model} on {context.names.target} has no transform job {job}",
            where=context.api.where,
            hint="`cloudserve batch` prints the names of its jobs",
        )
