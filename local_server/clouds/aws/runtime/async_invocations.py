"""InvokeEndpointAsync: requests taken from the bucket, answers put there.

An invocation that was accepted is in the database until its answer is in the bucket: one that an
earlier process left is done again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
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
from .invoker import Asked, Invoker, ModelRefusalError, validation_error

logger = logging.getLogger(__name__)

INLINE_LIMIT = 128_000
"""Bytes of an inline body (botocore's model of the runtime)."""
_TABLE = "aws/async-invocation"
_TTL_SECONDS = 21_600
_ANSWER_SECONDS = 900
_CLIENT_ERROR = 400


class AsyncInvocations:
    """The invocations that were accepted and are not answered yet."""

    def __init__(
        self,
        records: Records,
        invoker: Invoker,
        files: S3Files,
        work: BackgroundTasks,
        clock: Clock,
    ) -> None:
        self._records = records
        self._invoker = invoker
        self._files = files
        self._work = work
        self._clock = clock

    async def accept(self, region: str, asked: Mapping[str, Any], body: bytes) -> Document:
        """Take an invocation up and return where its answer, or failure, will be.

        Raises AwsError for an endpoint that is not asynchronous, and for no input, or two.
        """
        lanes = await self._invoker.lanes(region, asked["EndpointName"])
        config = lanes.serving.get("async")
        if config is None:
            raise validation_error(
                f"Endpoint {asked['EndpointName']} is not configured for asynchronous inference."
            )
        if ("InputLocation" in asked) == bool(body):
            raise validation_error("Exactly one of InputLocation and Body must be provided.")
        if "InputLocation" in asked and not asked["InputLocation"].startswith("s3://"):
            raise validation_error("InputLocation must be an s3:// URI offline.")
        document = self._document(region, asked, body, config["OutputConfig"])
        self._start(document)
        return document

    def _document(
        self, region: str, asked: Mapping[str, Any], body: bytes, output: Mapping[str, Any]
    ) -> Document:
        number = str(uuid.uuid4())
        name = "/".join(
            part.strip("/")
            for part in (
                asked.get("S3OutputPathExtension", ""),
                asked.get("Filename", f"{number}.out"),
            )
            if part
        )
        where = {"OutputLocation": below(output["S3OutputPath"], name)}
        if "S3FailurePath" in output:
            stem = name.removesuffix(".out")
            where["FailureLocation"] = below(output["S3FailurePath"], f"{stem}-error.out")
        document: Document = {
            "id": number,
            "region": region,
            "asked": dict(asked),
            "body": body.decode("latin-1"),
            "accepted": self._records.now(),
            "InferenceId": asked.get("InferenceId", number),
            **where,
        }
        self._records.resources.put(_TABLE, number, document)
        return document

    def restore(self) -> None:
        """Take up what an earlier process accepted and did not answer."""
        for _, document in self._records.resources.list(_TABLE):
            self._start(document)

    def _start(self, document: Document) -> None:
        # Each by itself: the endpoint's container has its own queue.
        self._work.start(f"async/{document['id']}", self._answer(document))

    async def _answer(self, document: Document) -> None:
        try:
            await self._deliver(document)
        except CloudserveError as error:
            await self._fail(document, error)
        self._records.resources.delete(_TABLE, document["id"])

    async def _deliver(self, document: Document) -> None:
        asked = document["asked"]
        ttl = asked.get("RequestTTLSeconds", _TTL_SECONDS)
        if self._records.now() - document["accepted"] > ttl:
            raise validation_error("The request expired before it was processed.")
        body, kind = await self._input(document)
        invocation = Invocation(
            body, asked.get("ContentType", kind), asked.get("Accept"), asked.get("CustomAttributes")
        )
        invoked = await self._invoker.invoke(
            Asked(
                document["region"],
                asked["EndpointName"],
                invocation,
                inference_id=document["InferenceId"],
                later=True,
            ),
            seconds=asked.get("InvocationTimeoutSeconds", _ANSWER_SECONDS),
        )
        content_type = invoked.answer.content_type or "application/octet-stream"
        await self._files.write(document["OutputLocation"], invoked.answer.body, content_type)

    async def _input(self, document: Mapping[str, Any]) -> tuple[bytes, str]:
        location = document["asked"].get("InputLocation")
        if location is None:
            return document["body"].encode("latin-1"), "application/octet-stream"
        found = await self._files.read(location)
        if found is None:
            bucket, key = split_uri(location)
            raise validation_error(f"Failed to download input data(bucket: {bucket}, key: {key}).")
        content, info = found
        return content, info.properties.content_type

    async def _fail(self, document: Mapping[str, Any], error: CloudserveError) -> None:
        status = error.status if isinstance(error, AwsError) else HTTPStatus.INTERNAL_SERVER_ERROR
        logger.warning("asynchronous invocation %s failed: %s", document["id"], error.message)
        where = document.get("FailureLocation")
        if where is None:
            return
        content, kind = _failure(error)
        try:
            await self._files.write(where, content, kind)
        except CloudserveError as again:
            logger.warning("%s (%d) could not be told to %s", again.message, status, where)


def _failure(error: CloudserveError) -> tuple[bytes, str]:
    """Return a failure object's content and type: the container's own answer, where there is one.

    The SDK reads it as it reads a response (sagemaker-python-sdk, AsyncInferenceResponse).
    """
    answer = error.answer if isinstance(error, ModelRefusalError) else None
    if answer is None:
        return error.message.encode(), "text/plain"
    return answer.body, answer.content_type or "application/octet-stream"
