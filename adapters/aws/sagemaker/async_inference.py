"""Ask an asynchronous endpoint: the request into the bucket, the answer out of it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from cloudserve.errors import RemoteError
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.events import SILENT

from ...polling import Poller

if TYPE_CHECKING:
    from .api import SageMaker

INLINE = 128_000
"""Bytes of a request that need no object (the runtime's service model)."""


class Later:
    """Sends requests and waits for what becomes of them."""

    def __init__(self, api: SageMaker, blobs: BlobStore, poller: Poller) -> None:
        self._api = api
        self._blobs = blobs
        self._poller = poller

    def ask(self, model: str, endpoint: str, body: bytes) -> bytes:
        """Return the answer to a JSON request.

        A request of more than 128,000 bytes lies in the bucket while it is worked on. Raises
        RemoteError with what the container said, and at the poller's deadline.
        """
        if len(body) <= INLINE:
            output, failure = self._api.invoke_later(endpoint, body=body)
            return self._wait(endpoint, output, failure)
        key = f"cloudserve/{model}/requests/{uuid.uuid4().hex}.json"
        self._blobs.write(key, body)
        try:
            url = f"{self._blobs.url}/{key}"
            output, failure = self._api.invoke_later(endpoint, url=url)
            return self._wait(endpoint, output, failure)
        finally:
            self._blobs.delete(key)

    def _wait(self, endpoint: str, output: str, failure: str) -> bytes:
        def look() -> bytes | None:
            answer = self._api.object(output)
            if answer is not None:
                return answer
            failed = self._api.object(failure) if failure else None
            if failed is not None:
                said = failed.decode(errors="replace").strip()
                raise RemoteError(f"predict: {said}", where=f"{self._api.where}, {failure}")
            return None

        where = f"{self._api.where}, endpoint {endpoint}"
        return self._poller.until(look, what="the answer", where=where, reporter=SILENT)
