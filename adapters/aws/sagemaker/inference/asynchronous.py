"""Ask an asynchronous endpoint: the request into the bucket, the answer out of it."""

from __future__ import annotations

import uuid

from cloudserve.errors import RemoteError
from cloudserve.release.state.layout import folder_of
from cloudserve.storage.events import SILENT

from ..context import AwsContext

INLINE = 128_000
"""Bytes of a request that need no object (the runtime's service model)."""


class AsyncInvocations:
    """Sends requests and waits for what becomes of them."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def ask(self, model: str, endpoint: str, body: bytes) -> bytes:
        """Return the answer to a JSON request.

        A request of more than 128,000 bytes is in the bucket until it is answered. Raises
        RemoteError with what the container said, and at the poller's deadline.
        """
        if len(body) <= INLINE:
            output, failure = self._aws.api.runtime.invoke_later(endpoint, body=body)
            return self._wait(endpoint, output, failure)
        folder = folder_of(model, self._aws.names.owner.own_project)
        key = f"{folder}requests/{uuid.uuid4().hex}.json"
        self._aws.blobs.write(key, body)
        try:
            url = f"{self._aws.blobs.url}/{key}"
            output, failure = self._aws.api.runtime.invoke_later(endpoint, url=url)
            return self._wait(endpoint, output, failure)
        finally:
            self._aws.blobs.delete(key)

    def _wait(self, endpoint: str, output: str, failure: str) -> bytes:
        def look() -> bytes | None:
            answer = self._aws.api.objects.read(output)
            if answer is not None:
                return answer
            failed = self._aws.api.objects.read(failure) if failure else None
            if failed is not None:
                said = failed.decode(errors="replace").strip()
                raise RemoteError(f"predict: {said}", where=f"{self._aws.api.where}, {failure}")
            return None

        where = f"{self._aws.api.where}, endpoint {endpoint}"
        return self._aws.poller.until(look, what="the answer", where=where, reporter=SILENT)
