"""The XML API of Cloud Storage, as far as multipart uploads need it.

Requests and documents: Cloud Storage documentation, "XML API multipart uploads" and the reference
pages it links. The documents are S3's, in S3's namespace or in none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import requests
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import HTTPAdapter

from cloudserve._version import __version__
from cloudserve.storage.contract import Part
from cloudserve.storage.pool import WORKERS

from ...call_log import log_requests
from .errors import XmlRefusedError

Query = Mapping[str, str | int]
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two reads."""


class XmlApi:
    """One bucket by its path-style URL; `credentials` are google.auth's. For many threads."""

    def __init__(self, endpoint: str, bucket: str, credentials: Any) -> None:
        self._url = f"{endpoint}/{bucket}"
        self._credentials = credentials
        self._local = threading.local()

    def call(
        self,
        method: str,
        key: str = "",
        query: Query | None = None,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request and return its successful answer; raises XmlRefusedError."""
        path = f"/{quote(key, safe='~')}" if key else ""
        answer: requests.Response = self._session.request(
            method,
            self._url + path,
            params=dict(query or {}),
            data=body,
            headers={"x-goog-api-client": f"cloudserve/{__version__}", **(headers or {})},
            timeout=TIMEOUT,
        )
        if not answer.ok:
            raise XmlRefusedError(answer)
        return answer

    @property
    def _session(self) -> requests.Session:
        """Return the thread's session: requests promises nothing for shared ones."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = AuthorizedSession(self._credentials)  # type: ignore[no-untyped-call]
            log_requests(session)
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(pool_maxsize=WORKERS))
        return session


def upload_id(content: bytes) -> str:
    """Return the id in the answer to the beginning of an upload; raises ValueError."""
    element = next(_each(content, "UploadId"), None)
    if element is None or not element.text:
        raise ValueError("the answer names no UploadId")
    return element.text


def listed_uploads(content: bytes, key: str) -> tuple[str, ...]:
    """Return the ids of a key's uploads in a listing, the newest first; raises ValueError."""
    uploads = [_texts(each) for each in _each(content, "Upload")]
    own = [each for each in uploads if each.get("Key") == key]
    own.sort(key=lambda each: each.get("Initiated", ""), reverse=True)
    return tuple(each["UploadId"] for each in own)


def listed_parts(content: bytes) -> tuple[tuple[Part, ...], int | None]:
    """Return a page of parts, and the number to continue after, or None; raises ValueError."""
    parts = [_texts(each) for each in _each(content, "Part")]
    page = tuple(Part(int(p["PartNumber"]), int(p["Size"]), p["ETag"]) for p in parts)
    more = next(_each(content, "IsTruncated"), None)
    truncated = more is not None and more.text == "true"
    return page, page[-1].number if truncated and page else None


def completion(parts: Mapping[int, str]) -> bytes:
    """Return the document that names an upload's parts by number and ETag."""
    root = ET.Element("CompleteMultipartUpload")
    for number, etag in parts.items():
        part = ET.SubElement(root, "Part")
        ET.SubElement(part, "PartNumber").text = str(number)
        ET.SubElement(part, "ETag").text = etag
    return ET.tostring(root)


def _each(content: bytes, name: str) -> Iterator[ET.Element]:
    try:
        root = ET.fromstring(content)  # noqa: S314 - the service's answer over an authorized session
    except ET.ParseError as error:
        raise ValueError(f"the answer is not XML: {error}") from error
    return (each for each in root.iter() if each.tag.rpartition("}")[2] == name)


def _texts(element: ET.Element) -> dict[str, str]:
    return {child.tag.rpartition("}")[2]: child.text or "" for child in element}
