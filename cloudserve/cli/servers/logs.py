"""Logs of the servers on standard error, as text or as one JSON object per line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from cloudserve.cli.verbosity import take_log_level
from cloudserve.errors import UserError

FORMS = ("text", "json")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time (RFC 3339, UTC), severity, logger, message, and the traceback if any."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "severity": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr(form: str) -> None:
    """Log to standard error as `text` or `json`; raises UserError for another format.

    The level is INFO for cloudserve's loggers, WARNING with --quiet and DEBUG with --verbose, and
    WARNING for those of other packages.
    """
    formatters = {"text": logging.Formatter(_TEXT), "json": JsonFormatter()}
    if form not in formatters:
        raise UserError(f"`{form}` is not a log format", hint="use text or json")
    handler = logging.StreamHandler()
    handler.setFormatter(formatters[form])
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("cloudserve").setLevel(take_log_level())
