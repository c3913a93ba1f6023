"""The body of an upload: stored as a blob, and compared with every announced checksum.

A body that is truncated, is framed wrongly or has another checksum is removed. Sources:
Amazon S3 User Guide, "Checking object integrity"; botocore's httpchecksum for what clients send.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from .....transport.types import Request
from ...body_spool import spool
from ...http_util import chunks
from ...store.blobs import BlobWriter
from ...store.checksums import ALGORITHMS, ALWAYS, Digests, from_base64, to_base64
from ...store.store import ObjectStore
from ...store.types import Blob, ObjectInfo
from ..errors import S3Error, not_implemented
from ..request import Received
from .aws_chunked import AwsChunkedDecoder, ChunkError, is_framed

PREFIX = "x-amz-checksum-"
NO_CHECKSUM = frozenset({"x-amz-checksum-mode", "x-amz-checksum-type", "x-amz-checksum-algorithm"})
HEX_SHA256 = 64

FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
"""S3's names for the content of a checksum: the object, or its parts' checksums."""


async def receive(request: Request, store: ObjectStore) -> Received:
    """Store a body and verify it; raises S3Error, ClientGoneError."""
    headers = request.head.headers
    algorithm = announced_algorithm(headers)
    check_forms(headers, algorithm)
    writer = store.writer((algorithm,) if algorithm else ())
    decoder = AwsChunkedDecoder() if is_framed(headers) else None
    if decoder is None:
        await spool(chunks(request), writer)
    else:
        await _spool_framed(request, writer, decoder)
    trailers = decoder.trailers if decoder else {}
    try:
        _check_length(headers, writer.size)
    except S3Error:
        writer.abort()
        raise
    blob = await asyncio.to_thread(writer.finish)
    try:
        return Received(blob, verify(blob, {**headers, **trailers}, algorithm))
    except S3Error:
        store.discard(blob)
        raise


def verify_content(content: bytes, headers: Mapping[str, str], algorithm: str | None) -> None:
    """Compare a small body with the checksums in its headers; raises S3Error.

    `algorithm` is None if the checksum header is not the body's: a completion has the object's.
    """
    check_forms(headers, algorithm)
    digests = Digests((*ALWAYS, algorithm) if algorithm else ALWAYS)
    digests.update(content)
    computed = digests.result()
    verify(Blob(None, len(content), computed["sha256"], computed), headers, algorithm)


def announced_algorithm(headers: Mapping[str, str]) -> str | None:
    """Return the algorithm of the announced checksum, in a header or trailer; raises S3Error."""
    trailers = [each.strip().lower() for each in headers.get("x-amz-trailer", "").split(",")]
    names = [
        name.removeprefix(PREFIX)
        for name in dict.fromkeys((*headers, *trailers))
        if name.startswith(PREFIX) and name not in NO_CHECKSUM
    ]
    if len(names) > 1:
        message = (
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
        raise S3Error("InvalidRequest", message)
    if names and names[0] not in ALGORITHMS:
        raise not_implemented(PREFIX + names[0])
    return names[0] if names else None


def check_forms(headers: Mapping[str, str], algorithm: str | None) -> None:
    """Refuse unreadable checksums before the body is read; raises S3Error."""
    if algorithm and PREFIX + algorithm in headers:
        _digest(headers, PREFIX + algorithm, algorithm)
    if "content-md5" in headers:
        try:
            from_base64(headers["content-md5"], "md5")
        except ValueError as error:
            raise S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.") from error


def verify(blob: Blob, announced: Mapping[str, str], algorithm: str | None) -> str:
    """Compare a blob with its announced checksums; return its checksum as `ALGORITHM:BASE64`.

    Raises S3Error: BadDigest, InvalidRequest, XAmzContentSHA256Mismatch.
    """
    if "content-md5" in announced and announced["content-md5"] != to_base64(blob.digests["md5"]):
        message = "The Content-MD5 you specified did not match what we received."
        raise S3Error("BadDigest", message)
    payload = announced.get("x-amz-content-sha256", "")
    if len(payload) == HEX_SHA256 and payload != blob.sha256:
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise S3Error("XAmzContentSHA256Mismatch", message)
    if algorithm is None:
        return ""
    if _digest(announced, PREFIX + algorithm, algorithm) != blob.digests[algorithm]:
        name = algorithm.upper()
        message = f"The {name} you specified did not match the calculated checksum."
        raise S3Error("BadDigest", message)
    return f"{algorithm}:{to_base64(blob.digests[algorithm])}"


def _digest(announced: Mapping[str, str], name: str, algorithm: str) -> bytes:
    try:
        return from_base64(announced[name], algorithm)
    except KeyError as error:
        message = f"The trailer {name} was announced but not sent."
        raise S3Error("InvalidRequest", message) from error
    except ValueError as error:
        raise S3Error("InvalidRequest", f"Value for {name} header is invalid.") from error


def _check_length(headers: Mapping[str, str], size: int) -> None:
    declared = headers.get("x-amz-decoded-content-length")
    if declared is not None and declared != str(size):
        message = (
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        )
        raise S3Error("IncompleteBody", message)


async def _spool_framed(request: Request, writer: BlobWriter, decoder: AwsChunkedDecoder) -> None:
    async def payload() -> AsyncIterator[bytes]:
        async for chunk in chunks(request):
            for piece in decoder.feed(chunk):
                yield piece
        decoder.finish()

    try:
        await spool(payload(), writer)
    except ChunkError as error:
        message = f"The request body terminated unexpectedly or is not aws-chunked: {error}"
        raise S3Error("IncompleteBody", message) from error


def checksum_headers(info: ObjectInfo) -> dict[str, str]:
    """Return the response headers for the checksum of an object's upload."""
    algorithm, _, value = info.properties.checksum.partition(":")
    if not algorithm:
        return {}
    return {f"x-amz-checksum-{algorithm}": value, "x-amz-checksum-type": checksum_type(value)}


def checksum_type(value: str) -> str:
    """Return S3's name for the content of a checksum: the object, or its parts' checksums."""
    return COMPOSITE if "-" in value else FULL
