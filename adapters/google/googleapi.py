"""One Google API: its control plane through googleapiclient, its predictions as plain HTTPS.

The discovery document is the one that googleapiclient brings, so nothing is fetched. A prediction's
body and answer are passed on as the bytes they are: Google's own clients take them apart into
protobuf values, which costs a hundred times the request.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from google.api_core.client_options import ClientOptions
from google.auth.transport.requests import AuthorizedSession
from googleapiclient import discovery
from googleapiclient.errors import UnknownApiNameOrVersion

from cloudserve.errors import RemoteError, UserError
from cloudserve.known.tape import Tape, unknown
from cloudserve.release.destination import Destination
from cloudserve.storage.retry import retry_after

from ..call_log import log_requests, logged
from .credentials import Access
from .destination import google_destination
from .errors import container_reason, refused, translated

Record = Mapping[str, Any]
T = TypeVar("T")
PAGE = 100
RETRIES = 2
NOT_JSON = "check `endpoint` of the target; a proxy in between may change the answers"
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
"""Seconds between two reads of an answer."""


class _Failure(msgspec.Struct):
    """What an answer says of its failure: an object (HTTP >= 400), or a text with HTTP 200."""

    error: str | dict[str, Any] | None = None


class GoogleApi:
    """An API at one endpoint (no trailing slash needed). Errors are RemoteError."""

    def __init__(
        self, api: str, version: str, endpoint: str, access: Access, *, retries: int = RETRIES
    ) -> None:
        self._api = api
        self._version = version
        self._endpoint = endpoint.rstrip("/")
        self._access = access
        self._retries = retries

    def record(self, tape: Tape) -> None:
        """Send all reads of the account through a tape."""
        self._access.tape = tape

    def destination(self, storage: str, project: str, region: str) -> Destination:
        """Return the project that this API's and a storage endpoint's calls reach."""
        return google_destination(self._api, self._endpoint, storage, project, region, self._access)

    def _find(self, request: Any, what: str, where: str) -> Record | None:
        """Execute a request; None if its resource does not exist."""
        return self._by_tape(request, lambda: self._found(request, what, where))

    def _found(self, request: Any, what: str, where: str) -> Record | None:
        try:
            return self._executed(request, what, where)
        except RemoteError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _listed(
        self, collection: Any, key: str, what: str, where: str, **query: Any
    ) -> Iterator[Record]:
        """Yield the resources of a collection, over all pages."""
        request = collection.list(pageSize=PAGE, **query)
        while request is not None:
            answer = self._execute(request, what, where)
            yield from answer.get(key, ())
            request = collection.list_next(request, answer)

    def _execute(self, request: Any, what: str, where: str) -> Record:
        return self._by_tape(request, lambda: self._executed(request, what, where))

    def _by_tape(self, request: Any, fetch: Callable[[], T]) -> T:
        parts = urlsplit(request.uri)
        question = f"{request.method} {self._api}{parts.path}?{parts.query}"
        if request.method == "GET":
            return self._access.tape.ask(question, fetch)
        if self._access.tape.is_offline:
            raise unknown(question)
        return fetch()

    def _executed(self, request: Any, what: str, where: str) -> Record:
        with translated(what, where), logged(request.methodId):
            answer = request.execute(num_retries=self._retries)
        if not isinstance(answer, dict):  # googleapiclient gives a 200 that is no JSON as text
            raise RemoteError(f"{what}: the answer is not JSON", where=where, hint=NOT_JSON)
        return answer

    def _sent(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        seconds: float = READ_SECONDS,
    ) -> Any:
        """Send a prediction and return the HTTP response, whatever it is."""
        if self._access.tape.is_offline:
            raise unknown(f"POST {url}")
        with translated("predict", url):
            return self._session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", **(headers or {})},
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
            )

    def _answered(self, answer: Any, url: str) -> bytes:
        """Return the content of an HTTP response; raises RemoteError if it tells of a failure."""
        content = bytes(answer.content)
        error = _failure(content, url, answer.status_code)
        if answer.status_code != HTTPStatus.OK:
            reason = error.get("message") if isinstance(error, dict) else error
            message = container_reason(str(reason or answer.reason))
            later = retry_after(answer.headers.get("Retry-After"))
            raise refused("predict", url, answer.status_code, message, later)
        if error:
            raise RemoteError(
                f"predict: {error}",
                where=url,
                hint="compare the request with `cloudserve inspect MODEL --requests`",
                status=answer.status_code,
            )
        return content

    @cached_property
    def _service(self) -> Any:
        try:
            service = self._build()
        except UnknownApiNameOrVersion as error:
            name = f"{self._api} {self._version}"
            raise UserError(
                f"the installed google-api-python-client does not know {name} any more",
                where=self._endpoint,
                hint="pip install google-api-python-client==2.202.0, which does",
            ) from error
        weakref.finalize(self, service.close)  # httplib2 leaves its sockets open otherwise
        return service

    def _build(self) -> Any:
        with translated("connect", self._endpoint):
            offline = self._access.tape.is_offline
            access: dict[str, Any] = (
                {"http": _Unconnected()}
                if offline
                else {"credentials": self._access.credentials_for(self._endpoint)}
            )
            return discovery.build(
                self._api,
                self._version,
                static_discovery=True,
                client_options=ClientOptions(api_endpoint=self._endpoint),
                **access,
            )

    @cached_property
    def _session(self) -> Any:
        with translated("connect", self._endpoint):
            credentials = self._access.credentials_for(self._endpoint)
            session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        log_requests(session)
        return session


class _Unconnected:
    """The HTTP client of a service that only names its requests: with `--offline` none is sent."""

    def request(self, uri: str, *_: Any, **__: Any) -> Any:
        raise unknown(uri)

    def close(self) -> None:
        pass


def _failure(content: bytes, where: str, status: int) -> str | dict[str, Any] | None:
    try:
        # Only `error` is decoded; the predictions are skipped over.
        return msgspec.json.decode(content, type=_Failure).error
    except msgspec.DecodeError:
        return _slow_failure(content, where, status)


def _slow_failure(content: bytes, where: str, status: int) -> str | dict[str, Any] | None:
    """Decode an answer that is not strict JSON: a model's NaN and Infinity are bare words in it."""
    try:
        answer = json.loads(content)
    except ValueError as error:
        if status != HTTPStatus.OK:
            return None
        raise RemoteError(
            "predict: the answer is not JSON", where=where, hint=NOT_JSON, status=status
        ) from error
    return answer.get("error") if isinstance(answer, dict) else None
