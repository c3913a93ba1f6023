"""Times of options: a duration before now, such as `10m`, or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_DURATION = re.compile(r"(\d{1,9})([smhdw])")
_EPOCH = datetime.fromtimestamp(0, UTC)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class PastTime(click.types.StringParamType):
    """A moment in the past: `90s`, `10m`, `2h`, `3d`, `1w` before now, or an ISO 8601 time.

    A time without an offset is of this machine's zone. The value is in UTC, and not before 1970:
    the times of log services are not negative.
    """

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the moment, a datetime."""
        if isinstance(value, datetime):
            return value
        try:
            return max(_moment(str(value)), _EPOCH)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not a duration such as `10m`, `2h` or `3d`, nor a time such as"
                " `2026-11-30T09:00`",
                param,
                ctx,
            )


def _moment(text: str) -> datetime:
    match = _DURATION.fullmatch(text)
    if match:
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    return datetime.fromisoformat(text).astimezone(UTC)
