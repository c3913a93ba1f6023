"""Google's exceptions -> the error tree, in one place for all its clients.

Three client families meet here: googleapiclient (httplib2), google-cloud-storage (api_core over
requests) and plain requests for predictions.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httplib2  # type: ignore[import-untyped]
import msgspec
import requests
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.storage.exceptions import DataCorruption
from googleapiclient.errors import HttpError
from urllib3.exceptions import ProtocolError

from cloudserve.errors import LostAnswerError, RemoteError, UnreachableError

RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
SHUT_DOWN = "Cloud AI Platform has been deprecated"
"""The answer (HTTP 400) of the live ml v1 since 31 January 2025."""

NOBODY = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    ssl.SSLError,
    httplib2.ServerNotFoundError,
    requests.ConnectionError,
    requests.Timeout,
    TransportError,
    RetryError,
)


@contextmanager
def translated(what: str, where: str) -> Iterator[None]:
    """Raise a Google client's exceptions as RemoteError: `what` was tried, `where` it was sent."""
    try:
        yield
    except NOBODY as error:
        raise unreachable(what, where, error) from error
    except GoogleAuthError as error:
        raise _unauthenticated(what, where, error) from error
    except HttpError as error:
        raise refused(what, where, int(error.resp.status), str(error.reason)) from error
    except GoogleAPICallError as error:
        raise refused(what, where, int(error.code or 0), _message(error)) from error
    except DataCorruption as error:
        raise RemoteError(
            f"{what}: what arrived is not what was sent",
            where=where,
            hint="try again; a proxy in between may change the answers",
            retryable=True,
        ) from error


def unreachable(what: str, where: str, error: Exception) -> UnreachableError:
    """Return the error for an endpoint without an answer; a sent request's is LostAnswerError."""
    if _is_lost(error):
        return LostAnswerError(
            f"{what}: the answer did not arrive ({_root(error)})",
            where=where,
            hint="the request may have been processed; look at the service's log, or try again",
            retryable=True,
        )
    return UnreachableError(
        f"{what}: no answer ({_root(error)})",
        where=where,
        hint="check the network and the endpoint; is the emulator running?",
        retryable=True,
    )


def _is_lost(error: Exception) -> bool:
    """Return whether requests had sent the request.

    Connecting fails with a ConnectTimeout or a MaxRetryError, a connection ends with a
    ProtocolError.
    """
    if isinstance(error, requests.ReadTimeout | requests.exceptions.ChunkedEncodingError):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(cause, ProtocolError)


def refused(
    what: str, where: str, status: int, reason: str, retry_after: float | None = None
) -> RemoteError:
    """Return the error for a call that was answered with an HTTP status."""
    return RemoteError(
        f"{what}: {reason.strip() or 'no reason given'}",
        where=where,
        hint=_hint(status, reason),
        status=status,
        retryable=status in RETRYABLE,
        retry_after=retry_after,
    )


class _Error(msgspec.Struct):
    message: str = ""


class _Answer(msgspec.Struct):
    error: _Error


def _message(error: GoogleAPICallError) -> str:
    """Return the service's own sentence; api_core wraps URLs and its expectations around it."""
    content = getattr(error.response, "content", b"")
    try:
        return msgspec.json.decode(content, type=_Answer).error.message
    except msgspec.DecodeError:
        return str(error.message)


def _unauthenticated(what: str, where: str, error: GoogleAuthError) -> RemoteError:
    # A RefreshError also has the token endpoint's answer, and str() would print both as a tuple.
    reason = str(error.args[0] if error.args else type(error).__name__).partition("\n")[0].strip()
    refusal = _refusal(error)
    return RemoteError(
        f"{what}: no usable Google credentials ({f'{reason}: {refusal}' if refusal else reason})",
        where=where,
        hint=_GRANT if refusal else _LOG_IN,
    )


def _refusal(error: GoogleAuthError) -> str:
    """Return the sentence of the service that refused an impersonation, "" for other failures.

    `impersonated_credentials` of google-auth gives IAM's answer as the second argument.
    """
    try:
        return msgspec.json.decode(error.args[1], type=_Answer).error.message
    except (IndexError, TypeError, msgspec.DecodeError):  # OAuth's `error` is no object
        return ""


_LOG_IN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS "
    "to a service account's file; to rehearse, paste what `cloudserve emulate` prints"
)


_GRANT = "grant the account the permission that the message names, or use another account"
_LATER = "the service fails for now; try again, and look at https://status.cloud.google.com"


def _hint(status: int, reason: str) -> str | None:
    if SHUT_DOWN in reason:
        return (
            "Google shut AI Platform Prediction down on 31 January 2025; "
            "`cloudserve migrate TARGET` writes the Vertex AI target that takes its place, "
            "`cloudserve emulate` rehearses offline"
        )
    hints = {
        401: _LOG_IN,
        403: _GRANT,
        429: "the quota is used up for now; try again later",
    }
    return hints.get(status, _LATER if status in RETRYABLE else None)


def _root(error: BaseException) -> str:
    """Return the innermost cause's text: the outer ones are the clients' own wrappers."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) and inner not in chain:
        chain.append(inner)
    return str(chain[-1]) or type(chain[-1]).__name__


class _ContainerAnswer(msgspec.Struct):
    error: str


def container_reason(text: str) -> str:
    """Return the sentence in a container's refusal, which platforms pass on as its JSON body.

    TensorFlow Serving's is `{ "error": SENTENCE }`; any other text is returned as it is.
    """
    try:
        return msgspec.json.decode(text, type=_ContainerAnswer).error
    except msgspec.DecodeError:
        return text
