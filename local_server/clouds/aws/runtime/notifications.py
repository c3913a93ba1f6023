"""Notifications of asynchronous invocations, published to SNS.

Source: SageMaker developer guide, "Check prediction results", as messages that users recorded have
it. AWS's own example finds its task in `customAttributes`
(aws-samples/amazon-textract-transformer-pipeline, `pipeline/shared/sagemaker`).

An invocation that a kill cut short after its notification is run again after the restart, and
notifies twice. A topic that was deleted is not an error of the invocation: the log says that the
notification is lost.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudserve.errors import CloudserveError

from ...resources import Document
from ..sns.topics import Topics, iso, may_exist
from .requests import ModelRefusalError

logger = logging.getLogger(__name__)

_ASKED = {
    "accept": "Accept",
    "contentType": "ContentType",
    "customAttributes": "CustomAttributes",
    "inputLocation": "InputLocation",
}
"""The members of a request that the messages repeat, by their names there."""
SUCCESS, ERROR = "SuccessTopic", "ErrorTopic"


@dataclass(frozen=True, slots=True)
class Notifications:
    """Publishes the ends of invocations."""

    topics: Topics

    def completed(self, document: Mapping[str, Any], content_type: str) -> None:
        """Publish the success of an invocation."""
        answered = {"contentType": content_type, "outputLocation": document["OutputLocation"]}
        self._publish(document, SUCCESS, "Completed", {"responseParameters": answered})

    def failed(self, document: Mapping[str, Any], error: CloudserveError) -> None:
        """Publish the failure of an invocation."""
        reason = f"ClientError: {_reason(error)}"
        self._publish(document, ERROR, "Failed", {"failureReason": reason})

    def _publish(self, document: Mapping[str, Any], kind: str, status: str, more: Document) -> None:
        topic = document.get("topics", {}).get(kind)
        if not topic:
            return
        if not may_exist(self.topics.resources, topic):
            logger.warning("the notification of %s is lost: %s is gone", document["id"], topic)
            return
        try:
            self.topics.deliver(topic, json.dumps(self._message(document, status, more)))
        except OSError as error:
            logger.warning("the notification of %s is lost: %s", document["id"], error)

    def _message(self, document: Mapping[str, Any], status: str, more: Document) -> Document:
        asked = document["asked"]
        given = {name: asked[field] for name, field in _ASKED.items() if field in asked}
        received = datetime.fromtimestamp(document["accepted"], UTC)
        return {
            "awsRegion": document["region"],
            "eventTime": iso(datetime.fromtimestamp(self.topics.now(), UTC)),
            "receivedTime": iso(received),
            "invocationStatus": status,
            **({} if "responseParameters" in more else more),
            "requestParameters": {**given, "endpointName": asked["EndpointName"]},
            **(more if "responseParameters" in more else {}),
            "inferenceId": document["InferenceId"],
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }


def _reason(error: CloudserveError) -> str:
    """Return the reason of a failure; the answer of a container is not a part of it."""
    if not isinstance(error, ModelRefusalError):
        return error.message
    side = error.extra["ErrorCode"].partition("_")[0].lower()
    return (
        f"Received {side} error ({error.extra['OriginalStatusCode']}) from model. See the SageMaker"
        " Endpoint logs in your account for more information."
    )
