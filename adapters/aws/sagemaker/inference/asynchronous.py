"""Ask an asynchronous endpoint: the request into the bucket, the answer out of it."""

from __future__ import annotations

import uuid

from cloudserve.errors import RemoteError
from cloudserve.release.state.layout import folder_of
from cloudserve.storage.events import SILENT

from ...errors import is_denied
from ..context import AwsContext

_UNLISTED = "not authorized to perform: s3:ListBucket"
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
        unlisted: list[str] = []

        def look() -> bytes | None:
            answer = self._read(output, unlisted)
            if answer is not None:
                return answer
            failed = self._read(failure, unlisted) if failure else None
            if failed is not None:
                said = failed.decode(errors="replace").strip()
                raise RemoteError(
                    f"predict: {said}",
                    where=f"{self._aws.api.where}, {failure}",
                    hint="read the container's log: cloudserve logs MODEL",
                )
            return None

        where = f"{self._aws.api.where}, endpoint {endpoint}"
        try:
            return self._aws.poller.until(look, what="the answer", where=where, reporter=SILENT)
        except RemoteError as error:
            if unlisted:
                error.add_note(
                    "S3 did not say that there is no answer, for lack of a permission: "
                    + unlisted[-1]
                )
            raise

    def _read(self, url: str, unlisted: list[str]) -> bytes | None:
        """Return an object, None if it does not exist yet.

        Without s3:ListBucket S3 answers 403 for a missing object, not 404 (API reference,
        GetObject, "Permissions"). It is missing for sure only if the refusal names that action: the
        hint for it is added to `unlisted`. Raises RemoteError for any other refusal.
        """
        try:
            return self._aws.api.objects.read(url)
        except RemoteError as error:
            if not is_denied(error):
                raise
            if _UNLISTED in error.message:
                unlisted.append(error.hint or _UNLISTED)
                return None
            if "perform: s3:" not in error.message:  # AWS tells the action only within an account
                error.hint = (
                    "allow these credentials s3:GetObject on the object, and s3:ListBucket on its "
                    "bucket: without it S3 refuses to read an answer that does not exist yet"
                )
            raise
