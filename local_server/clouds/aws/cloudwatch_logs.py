"""CloudWatch Logs of an account without log groups: containers write to the emulator's own log.

The SageMaker SDK reads the logs of an endpoint or a transform job while it waits for it, and waits
without them if the service answers that their group does not exist. Source: `sagemaker` 2.257,
`session.py`, `_flush_log_streams`; 3.27, `core/helper/session_helper.py`.
"""

from __future__ import annotations

from typing import NoReturn

from ..resources import Document
from .protocol.errors import AwsError
from .protocol.json_app import JsonApp

_TARGET = "Logs_20140328."
_READERS = ("DescribeLogStreams", "FilterLogEvents", "GetLogEvents")


def logs() -> JsonApp:
    """Return the HTTP application: an empty list of groups, and errors for every named one."""
    handlers = dict.fromkeys(_READERS, _not_found)
    return JsonApp("logs", _TARGET, {"DescribeLogGroups": _no_groups, **handlers})


def _no_groups(_region: str, _body: Document) -> Document:
    return {"logGroups": []}


def _not_found(_region: str, _body: Document) -> NoReturn:
    raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
