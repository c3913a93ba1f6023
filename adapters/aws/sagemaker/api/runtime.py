"""Invocations of SageMaker's endpoints (the service `sagemaker-runtime`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from ...errors import code_of, message_of, translated
from ...session import Access

NOT_LOADED = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.INSUFFICIENT_STORAGE}
)
"""The statuses of AWS's TensorFlow container for a failed load (its python_service.py)."""
JSON = "application/json"
READ_SECONDS = (1, 3, 10, 30, 90)
"""Times to read an answer; InvokeEndpoint answers within 60 s."""


class Runtime:
    """Sends predictions to endpoints."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._clients: dict[float, Any] = {}

    @property
    def url(self) -> str:
        """Return the URL that predictions are sent to, without a path."""
        return str(self._client.meta.endpoint_url)

    def invoke(
        self, endpoint: str, variant: str | None, body: bytes, model: str | None = None
    ) -> bytes:
        """Send a JSON request to an endpoint and return its answer, both as bytes.

        `model` is the one of a multi-model endpoint: its archive's key below the prefix.
        """
        target = {"TargetVariant": variant} if variant else {}
        target |= {"TargetModel": model} if model else {}
        with translated("predict", self._where(endpoint)):
            answer = self._client.invoke_endpoint(
                EndpointName=endpoint, ContentType=JSON, Accept=JSON, Body=body, **target
            )
            return bytes(answer["Body"].read())

    def invoke_once(
        self, endpoint: str, target: Mapping[str, str], body: bytes, seconds: float
    ) -> tuple[bytes, str]:
        """Send a JSON request without retries; return the answer and the variant that gave it.

        `target` is the `TargetVariant` or the `TargetModel`, if there is one.
        """
        with translated("predict", self._where(endpoint)):
            answer = self._within(seconds).invoke_endpoint(
                EndpointName=endpoint, ContentType=JSON, Accept=JSON, Body=body, **target
            )
            return bytes(answer["Body"].read()), str(answer.get("InvokedProductionVariant", ""))

    def why_not_loaded(self, endpoint: str, model: str) -> str:
        """Have a multi-model endpoint load a model; return the reason of a failure, or "".

        A loaded model refuses a request without instances. The container's answer to a failed load
        is the answer of the invocation.
        """
        with translated(f"load {model}", self._where(endpoint)):
            try:
                self._client.invoke_endpoint(
                    EndpointName=endpoint, ContentType=JSON, Body=b"{}", TargetModel=model
                )
            except ClientError as error:
                if code_of(error) == "ModelError" and _is_loaded(error.response):
                    return ""
                if code_of(error) in {"ModelError", "ValidationError"}:
                    return str(error.response.get("OriginalMessage") or message_of(error))
                raise
        return ""

    def invoke_later(self, endpoint: str, *, body: bytes = b"", url: str = "") -> tuple[str, str]:
        """Send a JSON request asynchronously; return the URLs of its answer and of its failure."""
        payload: dict[str, Any] = {"InputLocation": url} if url else {"Body": body}
        with translated("predict", self._where(endpoint)):
            answer = self._client.invoke_endpoint_async(
                EndpointName=endpoint, ContentType=JSON, Accept=JSON, **payload
            )
        return str(answer["OutputLocation"]), str(answer.get("FailureLocation", ""))

    def _where(self, endpoint: str) -> str:
        return f"{self._access.where('sagemaker-runtime')}, endpoint {endpoint}"

    def _within(self, seconds: float) -> Any:
        """Return a client without retries, whose time to read is the next of a few.

        botocore has the time in the client, not in the call.
        """
        limit = next((limit for limit in READ_SECONDS if limit >= seconds), READ_SECONDS[-1])
        if limit not in self._clients:
            retries = {"total_max_attempts": 1}
            settings = Config(read_timeout=limit, connect_timeout=min(10, limit), retries=retries)
            self._clients[limit] = self._access.client("sagemaker-runtime", settings)
        return self._clients[limit]

    @cached_property
    def _client(self) -> Any:
        return self._access.client("sagemaker-runtime")


def _is_loaded(answer: Mapping[str, Any]) -> bool:
    """Return whether a container's refusal is that of a model that it has loaded.

    A script's own failure is a 500 with `{"error": …}`; one that cannot be imported has no such.
    """
    status, said = answer.get("OriginalStatusCode"), str(answer.get("OriginalMessage", ""))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return said.lstrip().startswith('{"error"')
    return status not in NOT_LOADED
