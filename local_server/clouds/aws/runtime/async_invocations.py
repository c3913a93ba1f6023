"""InvokeEndpointAsync: requests read from the bucket, answers written to it.

An accepted invocation stays in the database until its answer is in the bucket. After a restart it
is run again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cloudserve.errors import CloudserveError

from ....container import Invocation
from ...background_tasks import BackgroundTasks
from ...latency import Clock
from ...resources import Document
from ..protocol.errors import AwsError
from ..sagemaker.records import Records
from ..sagemaker.s3_files import S3Files, below, split_uri
from .invoker import Invoker
from .notifications import Notifications
from .requests import InvokeRequest, ModelRefusalError, validation_error

logger = logging.getLogger(__name__)

INLINE_LIMIT = 128_000
"""Bytes of an inline body (botocore's model of the runtime)."""
_TABLE = "aws/async-invocation"
_TTL_SECONDS = 21_600
_ANSWER_SECONDS = 900


@dataclass(frozen=True, slots=True)
class AsyncInvocations:
    """The accepted invocations without an answer."""

    records: Records
    invoker: Invoker
    files: S3Files
    work: BackgroundTasks
    clock: Clock
    notifications: Notifications

    async def accept(self, region: str, fields: Mapping[str, Any], body: bytes) -> Document:
        """Start an invocation and return where its answer or failure will be written.

        Raises AwsError if the endpoint is not asynchronous, or without exactly one input.
        """
        routing = await self.invoker.routing(region, fields["EndpointName"])
        config = routing.serving.asynchronous
        if config is None:
            raise validation_error(
                f"Endpoint {fields['EndpointName']} is not configured for asynchronous inference."
            )
        if ("InputLocation" in fields) == bool(body):
            raise validation_error("Exactly one of InputLocation and Body must be provided.")
        if "InputLocation" in fields and not fields["InputLocation"].startswith("s3://"):
            raise validation_error("InputLocation must be an s3:// URI offline.")
        document = self._document(region, fields, body, config["OutputConfig"])
        self._start(document)
        return document

    def _document(
        self, region: str, fields: Mapping[str, Any], body: bytes, output: Mapping[str, Any]
    ) -> Document:
        number = str(uuid.uuid4())
        name = "/".join(
            part.strip("/")
            for part in (
                fields.get("S3OutputPathExtension", ""),
                fields.get("Filename", f"{number}.out"),
            )
            if part
        )
        locations = {"OutputLocation": below(output["S3OutputPath"], name)}
        if "S3FailurePath" in output:
            stem = name.removesuffix(".out")
            locations["FailureLocation"] = below(output["S3FailurePath"], f"{stem}-error.out")
        document: Document = {
            "id": number,
            "region": region,
            "asked": dict(fields),
            "body": body.decode("latin-1"),
            "accepted": self.records.now(),
            "InferenceId": fields.get("InferenceId", number),
            "topics": dict(output.get("NotificationConfig", {})),
            **locations,
        }
        self.records.resources.put(_TABLE, number, document)
        return document

    def restore(self) -> None:
        """Restart the invocations that an earlier process left unanswered."""
        for _, document in self.records.resources.list(_TABLE):
            self._start(document)

    def _start(self, document: Document) -> None:
        # A key for each: the endpoint's container has its own queue.
        self.work.start(f"async/{document['id']}", self._answer(document))

    async def _answer(self, document: Document) -> None:
        try:
            content_type = await self._deliver(document)
        except CloudserveError as error:
            await self._fail(document, error)
            self.notifications.failed(document, error)
        else:
            self.notifications.completed(document, content_type)
        self.records.resources.delete(_TABLE, document["id"])

    async def _deliver(self, document: Document) -> str:
        """Write the answer to the bucket and return its content type."""
        fields = document["asked"]
        ttl = fields.get("RequestTTLSeconds", _TTL_SECONDS)
        if self.records.now() - document["accepted"] > ttl:
            raise validation_error("The request expired before it was processed.")
        body, kind = await self._input(document)
        invocation = Invocation(
            body,
            fields.get("ContentType", kind),
            fields.get("Accept"),
            fields.get("CustomAttributes"),
        )
        result = await self.invoker.invoke(
            InvokeRequest(
                document["region"],
                fields["EndpointName"],
                invocation,
                inference_id=document["InferenceId"],
                is_async=True,
            ),
            seconds=fields.get("InvocationTimeoutSeconds", _ANSWER_SECONDS),
        )
        content_type = result.answer.content_type or "application/octet-stream"
        await self.files.write(document["OutputLocation"], result.answer.body, content_type)
        return content_type

    async def _input(self, document: Mapping[str, Any]) -> tuple[bytes, str]:
        location = document["asked"].get("InputLocation")
        if location is None:
            return document["body"].encode("latin-1"), "application/octet-stream"
        stored = await self.files.read(location)
        if stored is None:
            bucket, key = split_uri(location)
            raise validation_error(f"Failed to download input data(bucket: {bucket}, key: {key}).")
        content, info = stored
        return content, info.properties.content_type

    async def _fail(self, document: Mapping[str, Any], error: CloudserveError) -> None:
        status = error.status if isinstance(error, AwsError) else HTTPStatus.INTERNAL_SERVER_ERROR
        logger.warning("asynchronous invocation %s failed: %s", document["id"], error.message)
        location = document.get("FailureLocation")
        if location is None:
            return
        content, kind = _failure(error)
        try:
            await self.files.write(location, content, kind)
        except CloudserveError as again:
            logger.warning(
                "cannot write the failure (%d) to %s: %s", status, location, again.message
            )


def _failure(error: CloudserveError) -> tuple[bytes, str]:
    """Return a failure object's content and type: the container's answer, if it gave one.

    The SDK reads the object like a response (sagemaker-python-sdk, AsyncInferenceResponse).
    """
    answer = error.answer if isinstance(error, ModelRefusalError) else None
    if answer is None:
        return error.message.encode(), "text/plain"
    return answer.body, answer.content_type or "application/octet-stream"
