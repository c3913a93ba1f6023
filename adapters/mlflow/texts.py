"""Texts of MLflow's errors without the secrets of the URLs in them."""

from __future__ import annotations

import re

# A password in the URL of a database may have any character but white space.
_USER = re.compile(r"(?<=://)(?:[^/\s@:]*:\S*|[^/\s@]+)@")
_QUERY = re.compile(r"\?[\w.-]+=\S+")
"""Stores sign URLs in their query."""


def first_line(error: Exception) -> str:
    """Return an error's first line; users, passwords and queries of URLs are left out."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return _QUERY.sub("?…", _USER.sub("", lines[0]))
