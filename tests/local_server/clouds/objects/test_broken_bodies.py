"""Truncated bodies at the applications themselves: which bytes are kept."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterator

import pytest
from cloudserve.local_server.clouds.objects.gcs.app import GcsApp
from cloudserve.local_server.clouds.objects.http_util import SMALL_BODY
from cloudserve.local_server.clouds.objects.s3.app import S3App
from cloudserve.local_server.clouds.router import Route, Router
from cloudserve.local_server.transport.types import (
    Application,
    ClientGoneError,
    Head,
    Request,
    Response,
)

UPLOAD = "/upload/storage/v1/b/bkt/o"
LENGTH = {"content-length": "1000000"}
"""A header that S3 needs; these bodies come without a socket."""
RELATED = {"content-type": "multipart/related; boundary=B"}
CHUNKED = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}


class Stream:
    """A body that gives its pieces and then, if it breaks off, loses its client."""

    def __init__(self, *pieces: bytes, breaks_off: bool) -> None:
        self._pieces = pieces
        self._breaks_off = breaks_off

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._breaks_off:
            raise ClientGoneError

    async def read(self, limit: int) -> bytes:
        return b"".join([piece async for piece in self])


def ask(face: Application, head: Head, *pieces: bytes, breaks_off: bool = False) -> Response:
    async def answer() -> Response:
        return await face.handle(Request(head, stream=Stream(*pieces, breaks_off=breaks_off)))

    return asyncio.run(answer())


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process grow past 128 KiB, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 << 10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("size", [129 << 10, 600 << 10])
@pytest.mark.parametrize(
    ("face", "head"),
    [
        (S3App, Head("PUT", "/bkt/k", "", LENGTH)),
        (GcsApp, Head("POST", UPLOAD, "uploadType=media&name=k")),
        (GcsApp, Head("POST", UPLOAD, "uploadType=multipart", RELATED)),
    ],
)
def test_a_full_disk_is_reported_and_nothing_is_left_on_it(store, face, head, size):
    part = b'--B\r\ncontent-type: application/json\r\n\r\n{"name":"k"}\r\n--B\r\n\r\n'
    pieces = [part] if head.headers else []
    answer = ask(face(store), head, *pieces, bytes(size), *([b"\r\n--B--"] if pieces else []))
    assert answer.status == 507
    assert b"The offline store cannot write: File too large." in answer.body
    assert list((store.root / "staging").iterdir()) == []
    assert store.find("bkt", "k") is None


@pytest.mark.parametrize(
    ("face", "head"),
    [
        (S3App, Head("PUT", "/bkt/k", "", LENGTH)),
        (S3App, Head("PUT", "/bkt/k", "", LENGTH | CHUNKED)),
        (GcsApp, Head("POST", UPLOAD, "uploadType=media&name=k")),
        (GcsApp, Head("POST", UPLOAD, "uploadType=multipart", RELATED)),
    ],
)
def test_an_upload_that_breaks_off_leaves_nothing(store, face, head):
    begun = (
        b"5\r\nhel" if head.headers.get("content-encoding") else b"--B\r\n\r\n{}\r\n--B\r\n\r\nhel"
    )
    with pytest.raises(ClientGoneError):
        ask(face(store), head, begun, breaks_off=True)
    assert store.usage("bkt") == (0, 0)
    assert list((store.root / "staging").iterdir()) == []


def test_a_part_that_breaks_off_leaves_the_part_that_was_there(store):
    face = S3App(store)
    begun = ask(face, Head("POST", "/bkt/k", "uploads"))
    upload = begun.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    head = Head("PUT", "/bkt/k", f"uploadId={upload}&partNumber=1", LENGTH)
    assert ask(face, head, b"whole").status == 200
    with pytest.raises(ClientGoneError):
        ask(face, head, b"bro", breaks_off=True)
    (part,) = store.uploads.parts(store.uploads.get(upload, "bkt", "k"))
    assert part.size == len(b"whole")


def test_a_chunk_that_breaks_off_counts_as_far_as_it_came(store):
    face = GcsApp(store)
    location = ask(face, Head("POST", UPLOAD, "uploadType=resumable&name=k")).headers["Location"]
    query = location.partition("?")[2]

    def put(span: str, *pieces: bytes, breaks_off: bool = False) -> Response:
        head = Head("PUT", UPLOAD, query, {"content-range": f"bytes {span}"})
        return ask(face, head, *pieces, breaks_off=breaks_off)

    with pytest.raises(ClientGoneError):
        put("0-10/11", b"he", b"llo", breaks_off=True)
    answer = put("*/11")
    assert (answer.status, answer.headers["Range"]) == (308, "bytes=0-4")
    done = put("5-10/11", b" world")
    assert (done.status, json.loads(done.body)["size"]) == (200, "11")
    assert store.path(store.get("bkt", "k")).read_bytes() == b"hello world"


def test_a_session_takes_one_request_at_a_time(store):
    face = GcsApp(store)
    location = ask(face, Head("POST", UPLOAD, "uploadType=resumable&name=k")).headers["Location"]
    head = Head("PUT", UPLOAD, location.partition("?")[2], {"content-range": "bytes 0-4/5"})
    held = store.sessions.begin(head.query.rpartition("=")[2])
    busy = ask(face, head, b"hello")
    assert (busy.status, json.loads(busy.body)["error"]["errors"][0]["reason"]) == (
        503,
        "backendError",
    )
    store.sessions.commit(held)
    assert ask(face, head, b"hello").status == 200


@pytest.mark.parametrize(
    ("face", "head", "status", "content"),
    [
        (S3App, Head("POST", "/bkt", "delete"), 400, b"<Code>MaxMessageLengthExceeded</Code>"),
        (GcsApp, Head("POST", "/storage/v1/b"), 413, b'"reason":"uploadTooLarge"'),
        (GcsApp, Head("POST", UPLOAD, "uploadType=resumable"), 413, b'"reason":"uploadTooLarge"'),
    ],
)
def test_a_body_past_its_limit_is_an_error_in_the_clouds_own_words(
    store, face, head, status, content
):
    answer = ask(face(store), head, bytes(SMALL_BODY), b"more")
    assert answer.status == status
    assert content in answer.body


@pytest.mark.parametrize(
    ("face", "head", "content"),
    [
        (S3App, Head("PUT", "/bkt/k", "", LENGTH), b"<Code>InternalError</Code>"),
        (GcsApp, Head("POST", UPLOAD, "uploadType=media&name=k"), b'"reason":"backendError"'),
    ],
)
def test_a_disk_that_fails_is_an_error_in_the_clouds_own_words(store, face, head, content, caplog):
    (store.root / "staging").rmdir()
    router = Router((Route(lambda _: True, face(store)),))
    answer = ask(router, head, b"hello")
    assert answer.status == 500
    assert content in answer.body
    assert "No such file or directory" in caplog.text
    assert store.find("bkt", "k") is None
    (store.root / "staging").mkdir()
