"""Cloud Storage's refusals as errors with a hint: the permission, the bucket, the clock.

Two APIs answer here: JSON through google-cloud-storage, XML (Cloud Storage documentation, "HTTP
status and error codes for XML") through plain requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
from google.api_core.exceptions import GoogleAPICallError

from cloudserve.errors import RemoteError
from cloudserve.storage.retry import retry_after

from ..errors import refused, translated, unreachable

MESSAGE = re.compile(rb'<Message>(.*?)</Message>|"message":\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
DETAILS = re.compile(rb"<Details>(.*?)</Details>", re.DOTALL)
SKEWED = re.compile(r"reasonable timeframe|token used too early|iat and exp", re.IGNORECASE)
DIGESTS = re.compile(r"(crc32c|md5|hash|digest)", re.IGNORECASE)
GARBLED = (AttributeError, KeyError, TypeError, ValueError)
"""The exceptions of Google's clients for invalid JSON, or JSON of another shape."""
NOT_FOUND = 404
BAD_REQUEST = 400


class XmlRefusedError(Exception):
    """The XML API answered with an error status."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(_sentence(response.content) or f"HTTP {response.status_code}")
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers


@contextmanager
def gcs_translated(what: str, where: str, url: str) -> Iterator[None]:
    """Raise what clients raise as RemoteError with remedies; `url` is `gs://NAME`."""
    try:
        with translated(what, where):
            try:
                yield
            except XmlRefusedError as error:
                raise refused(what, where, error.status, str(error)) from error
            except requests.RequestException as error:
                raise unreachable(what, where, error) from error
            except GARBLED as error:
                raise RemoteError(
                    f"{what}: the answer cannot be read ({error})",
                    where=where,
                    hint="try again; a proxy in between may change the answers",
                    retryable=True,
                ) from error
    except RemoteError as error:
        _explain(error, url)
        raise


def _explain(error: RemoteError, url: str) -> None:
    error.retry_after = retry_after(_headers(error.__cause__).get("retry-after"))
    if error.status == NOT_FOUND:
        error.hint = f"make the bucket {url} first, or correct the target's `bucket`"
    elif error.status == BAD_REQUEST and DIGESTS.search(error.message):
        error.retryable = True  # what arrived is not what was sent: the file still has it
    elif SKEWED.search(error.message):
        error.hint = "set this machine's clock: Google takes tokens of the present time only"


def _headers(cause: BaseException | None) -> Mapping[str, str]:
    if isinstance(cause, XmlRefusedError):
        return cause.headers
    response = cause.response if isinstance(cause, GoogleAPICallError) else None
    return getattr(response, "headers", None) or {}


def _sentence(content: bytes) -> str:
    texts = [match[0] or match[1] for match in MESSAGE.findall(content)[:1]]
    texts += DETAILS.findall(content)[:1]
    return ": ".join(part.decode("utf-8", "replace").strip() for part in texts)
