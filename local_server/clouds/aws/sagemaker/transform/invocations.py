"""The requests of a transform job to its container: time limits, retries, joined answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cloudserve.errors import ModelError

from .....container import Answer, Invocation
from .....own_images import NoAnswerError
from ..containers.several import Served
from .data_processing import is_joined
from .records import Payload, join

_DEFAULT_RETRIES = 3
_DEFAULT_SECONDS = 600


async def invoke(container: Served, job: Mapping[str, Any], payload: Payload, key: str) -> bytes:
    """Send a request to the container and retry it as the job configures.

    Raises ModelError with the object's key and the container's answer.
    """
    kind = job["TransformInput"].get("ContentType")
    invocation = Invocation(payload.body, kind, job["TransformOutput"].get("Accept"))
    client = job.get("ModelClientConfig", {})
    seconds = client.get("InvocationsTimeoutInSeconds", _DEFAULT_SECONDS)
    for _ in range(client.get("InvocationsMaxRetries", _DEFAULT_RETRIES) + 1):
        answer = await _answer_in_time(container, invocation, seconds)
        if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            break
    if answer.status != HTTPStatus.OK:
        side = "ClientError" if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR else "ModelError"
        body = json.dumps(answer.body.decode("utf-8", "replace"))
        raise ModelError(f"{side}: {key}: the container answered {answer.status}: {body}")
    if is_joined(job):
        return join(payload, answer.body, kind or "")
    return answer.body


async def _answer_in_time(container: Served, invocation: Invocation, seconds: float) -> Answer:
    """Return a container's answer, or a server error if there is none within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await container.invoke(invocation)
    except TimeoutError:
        text = f"there was no answer within the {seconds} s of InvocationsTimeoutInSeconds"
        return Answer(HTTPStatus.GATEWAY_TIMEOUT, text.encode())
    except NoAnswerError as error:
        return Answer(HTTPStatus.BAD_GATEWAY, error.message.encode())
