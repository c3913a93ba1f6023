"""Times of the API: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(seconds: float) -> str:
    """Return a time as Google's APIs write it, without a fraction if there is none."""
    moment = datetime.fromtimestamp(seconds, UTC)
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ"
    return moment.strftime(form)
