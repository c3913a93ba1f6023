"""SageMaker's own access to the offline bucket."""

from __future__ import annotations

import asyncio
import re

from ...objects.store.errors import NoSuchBucketError
from ...objects.store.store import ObjectStore
from ...objects.store.types import ObjectInfo, ObjectProperties
from ..protocol.errors import invalid

_URI = re.compile(r"s3://([^/]+)/?(.*)", re.DOTALL)


def split_uri(uri: str) -> tuple[str, str]:
    """Return the bucket and key of an s3:// URI; raises AwsError if it is not one."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise invalid(f"The S3 URI {uri} is not valid.")
    return match[1], match[2]


def below(uri: str, name: str) -> str:
    """Return the URI of a name below a prefix's URI."""
    return f"{uri.rstrip('/')}/{name}"


class S3Files:
    """Reads and writes whole objects from the event loop."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    async def read(self, uri: str) -> tuple[bytes, ObjectInfo] | None:
        """Return an object's bytes and properties; None if it does not exist."""
        return await asyncio.to_thread(self._read, *split_uri(uri))

    def _read(self, bucket: str, key: str) -> tuple[bytes, ObjectInfo] | None:
        try:
            info = self.store.find(bucket, key)
        except NoSuchBucketError:
            return None
        return None if info is None else (self.store.path(info).read_bytes(), info)

    async def write(self, uri: str, content: bytes, content_type: str) -> None:
        """Write an object; raises NoSuchBucketError."""
        await asyncio.to_thread(self._write, *split_uri(uri), content, content_type)

    def _write(self, bucket: str, key: str, content: bytes, content_type: str) -> None:
        writer = self.store.writer()
        writer.write(content)
        self.store.put(bucket, key, writer.finish(), ObjectProperties(content_type))

    def has_bucket(self, uri: str) -> bool:
        """Return whether a URI's bucket exists."""
        try:
            self.store.get_bucket(split_uri(uri)[0])
        except NoSuchBucketError:
            return False
        return True
