"""Requests to the runtime, their results, and the errors that they end in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ....container import Answer, Invocation
from ..protocol.arns import ACCOUNT
from ..protocol.errors import AwsError
from ..sagemaker.multi_container import PRIMARY

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class InvokeRequest:
    """A validated invocation of an endpoint."""

    region: str
    endpoint: str
    invocation: Invocation
    variant: str | None = None
    model: str | None = None
    inference_id: str | None = None
    is_async: bool = False
    """Whether it came from InvokeEndpointAsync. Asynchronous endpoints accept nothing else."""
    container: str | None = None
    """The TargetContainerHostname."""
    component: str | None = None
    """The InferenceComponentName."""
    is_streamed: bool = False
    """Whether it came from InvokeEndpointWithResponseStream."""


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """A successful answer and the variant that gave it."""

    variant: str
    answer: Answer


class CodedError(AwsError):
    """An error whose body has more members than its message."""

    def __init__(
        self,
        kind: str,
        message: str,
        status: int = HTTPStatus.BAD_REQUEST,
        *,
        extra: Mapping[str, Any],
    ) -> None:
        super().__init__(kind, message, status)
        self.extra = extra


class ModelRefusalError(CodedError):
    """An error answered by a container: HTTP 424, with the original answer inside."""

    def __init__(
        self,
        request: InvokeRequest,
        status: int,
        message: str,
        answer: Answer | None = None,
        container: str = PRIMARY,
    ) -> None:
        self.answer = answer
        """The container's answer; None if it did not answer in time."""
        side = "server" if status >= _SERVER_ERROR or not status else "client"
        region, logs = request.region, f"/aws/sagemaker/Endpoints/{request.endpoint}"
        if request.component is not None:
            logs = f"/aws/sagemaker/InferenceComponents/{request.component}"
        text = (
            f'Received {side} error ({status}) from {container} with message "{message}". See'
            f" https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={logs} in account {ACCOUNT} for more information."
        )
        extra = {
            "ErrorCode": f"{side.upper()}_ERROR_FROM_MODEL",
            "LogStreamArn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{logs}",
            "OriginalMessage": message,
            "OriginalStatusCode": status,
        }
        super().__init__("ModelError", text, HTTPStatus.FAILED_DEPENDENCY, extra=extra)


def validation_error(message: str) -> AwsError:
    """Return the runtime's error for an invalid request."""
    return AwsError("ValidationError", message)


def not_found(endpoint: str) -> AwsError:
    """Return the runtime's error for an endpoint that nothing serves."""
    return validation_error(f"Endpoint {endpoint} of account {ACCOUNT} not found.")


def too_large(limit: int) -> AwsError:
    """Return the runtime's error for a body above `limit` bytes."""
    text = f"HTTP content length exceeded {limit} bytes."
    return AwsError("ValidationError", text, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def oversize() -> AwsError:
    """Return the runtime's error for a body that a serverless endpoint does not take.

    The text is sagemaker-python-sdk#4271's.
    """
    return validation_error(f"Request {uuid.uuid4()} has oversize body.")
