"""The URLs of the console, and the requests that it answers.

All but the pages are below `/_cloudserve/`: no bucket, model or API has a name with "_" in front.
"""

from __future__ import annotations

from ..transport.types import Head

BASE = "/_cloudserve/console/"
STATIC = f"{BASE}static/"
API = f"{BASE}api/"
CONSOLE_PAGES = frozenset({"/", "/console"})
DOCS_PAGE = "/docs"
_READING = frozenset({"GET", "HEAD"})
_CREDENTIALS = frozenset({"authorization", "x-amz-date", "x-amz-target", "x-goog-api-client"})


def is_read(head: Head) -> bool:
    """Return whether a request only reads."""
    return head.method in _READING


def asks_for_page(head: Head) -> bool:
    """Return whether a browser asks for a page: HTML, without credentials and without a query.

    The same paths have other meanings for SDKs, such as S3's ListBuckets, and for programs, which
    do not accept `text/html` by name.
    """
    headers = head.headers
    return (
        is_read(head)
        and not head.query
        and "text/html" in headers.get("accept", "")
        and not _CREDENTIALS.intersection(headers)
    )
