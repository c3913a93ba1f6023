"""botocore's exceptions -> the error tree, in one place for all its clients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 - botocore's name for it
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
    SSOError,
    TokenRetrievalError,
)

from cloudserve.errors import LostAnswerError, RemoteError, UnreachableError

from .error_hints import for_denied, for_reason

NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
CHECK = "check the profile, the region and the configuration files of AWS"
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403"})
UNKNOWN_KEYS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
THROTTLED = frozenset(
    {
        "ModelNotReadyException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
LOG_IN = (
    "run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and its secret; "
    "to rehearse, paste what `cloudserve emulate` prints"
)
SERVER_ERROR = 500

LOG = (
    "the container's log has the traceback: /aws/sagemaker/Endpoints/ENDPOINT in CloudWatch Logs, "
    "or the output of `cloudserve emulate`"
)


@contextmanager
def translated(what: str, where: str) -> Iterator[None]:
    """Raise a boto3 client's exceptions as RemoteError: `what` was tried, `where` it was sent."""
    try:
        yield
    except ClientError as error:
        raise _refused(what, where, error) from error
    except S3UploadFailedError as error:
        # upload_file puts the answer's error into its text only; the cause is still attached.
        if isinstance(error.__context__, ClientError):
            raise _refused(what, where, error.__context__) from error
        raise RemoteError(f"{what}: {error}", where=where, hint=CHECK) from error
    except NO_CREDENTIALS as error:
        raise RemoteError(
            f"{what}: no usable AWS credentials ({error})", where=where, hint=LOG_IN
        ) from error
    except (ReadTimeoutError, ConnectionClosedError, ResponseStreamingError) as error:
        raise LostAnswerError(
            f"{what}: the answer did not arrive ({error})",
            where=where,
            hint="the request may have been processed; look at the service's log, or try again",
            retryable=True,
        ) from error
    except (ConnectionError, HTTPClientError) as error:
        raise UnreachableError(
            f"{what}: no answer ({error})",
            where=where,
            hint="check the network, the region and the endpoint; is the emulator running?",
            retryable=True,
        ) from error
    except BotoCoreError as error:
        raise RemoteError(f"{what}: {error}", where=where, hint=CHECK) from error


def is_denied(error: RemoteError) -> bool:
    """Return whether the caller lacks a permission for what was refused."""
    return isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in DENIED


def code_of(error: ClientError) -> str:
    """Return the service's error code, such as `ValidationException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """Return the service's own sentence."""
    return str(error.response.get("Error", {}).get("Message", "")) or code_of(error)


def status_of(error: ClientError) -> int:
    """Return the answer's HTTP status."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refused(what: str, where: str, error: ClientError) -> RemoteError:
    code, status = code_of(error), status_of(error)
    message = message_of(error)
    response: Mapping[str, Any] = error.response
    if code == "ModelError":  # the container's own answer says more than the wrapper around it
        message = _container_message(str(response.get("OriginalMessage") or message))
        status = int(response.get("OriginalStatusCode") or status)
        if status >= SERVER_ERROR:  # the text of an exception, such as 'instances' of a KeyError
            message = f"the container answered {status}: {message}"
    return RemoteError(
        f"{what}: {message.strip()}",
        where=where,
        hint=_hint(code, error.operation_name, message),
        status=status,
        request_id=response.get("ResponseMetadata", {}).get("RequestId"),
        retryable=code in THROTTLED or (status >= SERVER_ERROR and code != "ModelError"),
    )


def _container_message(text: str) -> str:
    """Return the sentence in the container's `{"error": "..."}`, or the text as it came."""
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    reason = answer.get("error") if isinstance(answer, dict) else None
    return reason if isinstance(reason, str) else text


def _hint(code: str, operation: str, message: str) -> str | None:
    if code in DENIED:
        return for_denied(message, operation)
    if code in UNKNOWN_KEYS:
        return f"AWS does not accept these keys: {LOG_IN}"
    if code in THROTTLED:
        return "try again in a moment"
    if code == "ModelError":  # about a request, not about roles and images
        return LOG if message.startswith("the container answered") else None
    return for_reason(f"{code}: {message}")
