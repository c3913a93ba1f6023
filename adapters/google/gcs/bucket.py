"""A bucket's name, its client and its errors: what small objects and large files share."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any

import requests
import urllib3.exceptions
from google.api_core.exceptions import GoogleAPICallError
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.exceptions import InvalidResponse

from cloudserve.known.tape import unknown

from ...call_log import log_requests
from ..credentials import Access
from ..errors import RETRYABLE
from .errors import gcs_translated
from .xml_api import XmlApi

ENDPOINT = "https://storage.googleapis.com"


class GcsBucket:
    """One bucket; `emulator` is STORAGE_EMULATOR_HOST, or None. Reaches no network when made."""

    def __init__(
        self, name: str, *, project: str, region: str, access: Access, emulator: str | None = None
    ) -> None:
        self._name = name
        self._project = project
        self._region = region
        self._access = access
        self._emulator = emulator
        self._lock = threading.Lock()
        self._made: tuple[Any, XmlApi] | None = None

    @property
    def url(self) -> str:
        """Return `gs://NAME`."""
        return f"gs://{self._name}"

    @property
    def endpoint(self) -> str:
        """Return the URL of the storage service that the calls are sent to."""
        return self._emulator or ENDPOINT

    @property
    def _where(self) -> str:
        return self.endpoint

    @property
    def _client(self) -> Any:
        return self._clients()[0]

    @property
    def _xml(self) -> XmlApi:
        return self._clients()[1]

    @property
    def _bucket(self) -> Any:
        with self._translated(f"open {self.url}"):
            return self._client.bucket(self._name)

    def _clients(self) -> tuple[Any, XmlApi]:
        with self._lock:  # several threads may be the first
            if self._access.tape.is_offline:
                raise unknown(f"a call of {self.url}")
            if self._made is None:
                self._made = self._make()
                log_requests(self._made[0]._http)  # noqa: SLF001 - the client has no hook
            return self._made

    def _make(self) -> tuple[Any, XmlApi]:
        # Otherwise google-cloud-storage 3.17 reads the bucket in a thread of its own, for traces:
        # a request that nobody asked for, whose connection stays open.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        if self._emulator is None:
            credentials = self._access.credentials
            client = storage.Client(project=self._project, credentials=credentials)
            return client, XmlApi(ENDPOINT, self._name, credentials)
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        client = storage.Client(
            project=self._project,
            credentials=anonymous,
            client_options={"api_endpoint": self._emulator},
            use_auth_w_custom_endpoint=False,
        )
        return client, XmlApi(self._emulator.rstrip("/"), self._name, anonymous)

    def _translated(self, what: str) -> AbstractContextManager[None]:
        return gcs_translated(what, self._where, self.url)


def worth_retrying(error: Exception) -> bool:
    """Retry temporary failures; a refused connection is reported at once."""
    if isinstance(error, GoogleAPICallError):
        return error.code in RETRYABLE
    if isinstance(error, InvalidResponse):
        return error.response.status_code in RETRYABLE
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return False
    return isinstance(
        error,
        (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            urllib3.exceptions.ProtocolError,
        ),
    )


# Every call here may be repeated: a write is the same bytes again, or has its precondition.
RETRY = Retry(predicate=worth_retrying, timeout=60.0)
