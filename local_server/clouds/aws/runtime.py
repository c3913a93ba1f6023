"""SageMaker's runtime: InvokeEndpoint, shared out over an endpoint's variants by weight."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from ...container import Answer
from ...container.application import read_invocation
from ...transport.types import BodyTooLargeError, Head, Request, Response
from ..bodies import collect, collect_limit
from ..resources import Document
from . import deployments
from .arns import ACCOUNT, region
from .errors import AwsError, request_id, rest_error
from .fleet import Fleet
from .sagemaker_endpoints import Endpoints, Lanes

PAYLOAD_LIMIT = 6_291_456
"""Bytes of an InvokeEndpoint body (botocore's model of the runtime)."""

_PATH = re.compile(
    r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)"
)
# What would change who answers, or how; a header that only names the request may come.
_NOT_OFFLINE = (
    "x-amzn-sagemaker-target-model",
    "x-amzn-sagemaker-target-container-hostname",
    "x-amzn-sagemaker-inference-component",
    "x-amzn-sagemaker-session-id",
    "x-amzn-sagemaker-enable-explanations",
)
_SERVER_ERROR = 500


def is_runtime(head: Head) -> bool:
    """Say whether a request is for the runtime."""
    return _PATH.fullmatch(head.path) is not None


class Runtime:
    """The runtime's face."""

    def __init__(
        self,
        endpoints: Endpoints,
        fleet: Fleet,
        chance: random.Random,
    ) -> None:
        self._endpoints = endpoints
        self._fleet = fleet
        self._chance = chance

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies up to the payload limit; stream larger ones to refuse them."""
        return collect_limit(head, PAYLOAD_LIMIT)

    async def handle(self, request: Request) -> Response:
        """Answer one invocation; every refusal is a typed REST-JSON error."""
        match = _PATH.fullmatch(request.head.path)
        assert match is not None
        try:
            if match[2] != "invocations" or request.head.method != "POST":
                raise _validation_error("Only InvokeEndpoint is available offline.")
            body = await collect(request, PAYLOAD_LIMIT)
            return await self._invoke(request.head, unquote(match[1]), body)
        except BodyTooLargeError:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            text = f"HTTP content length exceeded {PAYLOAD_LIMIT} bytes."
            return rest_error(AwsError("ValidationError", text, status))
        except AwsError as error:
            return rest_error(error)

    def failed(self, _: Head) -> Response:
        """Answer a request that broke down here."""
        return rest_error(AwsError.internal())

    async def _invoke(self, head: Head, name: str, body: bytes) -> Response:
        lanes = await self._endpoints.lanes(region(head), name)
        if lanes is None:
            raise _validation_error(f"Endpoint {name} of account {ACCOUNT} not found.")
        deployment = self._lane(lanes)
        headers = head.headers
        for header in _NOT_OFFLINE:
            if header in headers:
                raise _validation_error(f"The header {header} is not available offline.")
        variant = self._choose(deployment, headers.get("x-amzn-sagemaker-target-variant"), name)
        invocation = read_invocation(head, body)
        with self._fleet.hold(deployments.key(deployment, variant["name"])) as running:
            if running is None:
                raise _validation_error(f"Endpoint {name} of account {ACCOUNT} not found.")
            answer = await running.container.invoke(invocation)
        if answer.status != HTTPStatus.OK:
            return _model_error(region(head), name, answer)
        own = {"x-Amzn-Invoked-Production-Variant": variant["name"]} | request_id()
        return Response(HTTPStatus.OK, answer.body, answer.content_type, own)

    def _lane(self, lanes: Lanes) -> Document:
        """Draw the deployment that answers, by the share of one that is taking over."""
        is_shifted = lanes.pending is not None and lanes.share > 0
        if lanes.pending is not None and is_shifted and self._chance.random() < lanes.share:
            return lanes.pending
        return lanes.serving

    def _choose(self, deployment: Document, target: str | None, name: str) -> Document:
        variants: list[Document] = deployment["variants"]
        if target is None:
            return pick(variants, self._chance)
        for variant in variants:
            if variant["name"] == target:
                return variant
        raise _validation_error(f"Variant {target} not found for endpoint {name}.")


def pick(variants: list[Document], chance: random.Random) -> Document:
    """Draw a variant with a probability of its weight's share; a weight of 0 is never drawn."""
    weights = [variant["weight"] for variant in variants]
    if not any(weights):
        raise _validation_error("No production variant has a weight above 0.")
    return chance.choices(variants, weights)[0]


def _validation_error(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def _model_error(region: str, endpoint: str, answer: Answer) -> Response:
    """Wrap a container's refusal as the runtime does: 424 with the original inside."""
    side = "server" if answer.status >= _SERVER_ERROR else "client"
    original = answer.body.decode("utf-8", "replace")
    logs = f"/aws/sagemaker/Endpoints/{endpoint}"
    error = AwsError(
        "ModelError",
        f"Received {side} error ({answer.status}) from primary with message"
        f' "{original}". See the log of {logs} in account {ACCOUNT} for more information.',
        HTTPStatus.FAILED_DEPENDENCY,
    )
    extra: Mapping[str, Any] = {
        "ErrorCode": f"{side.upper()}_ERROR_FROM_MODEL",
        "LogStreamArn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{logs}",
        "OriginalMessage": original,
        "OriginalStatusCode": answer.status,
    }
    return rest_error(error, extra)
