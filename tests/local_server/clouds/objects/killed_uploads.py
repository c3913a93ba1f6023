"""Kill a process at every point of an upload, resume, and compare: `killed_uploads.py KIND FOLDER`.

A point is before or after each call of the store that reaches the disk or the database. A child is
forked for each; it ends there without any clean-up. Prints how many points there were.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from cloudserve.local_server.clouds.objects.gcs.app import GcsApp
from cloudserve.local_server.clouds.objects.s3.app import S3App
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.transport.types import Head, Request

CALLS = {
    "chmod", "close", "execute", "fsync", "flush", "hardlink_to", "link", "mkdir", "rename",
    "truncate", "unlink", "write",
}  # fmt: skip
KILLED = 77
KEY = "k"
BIG = bytes(range(256)) * (5 << 12)
"""5 MiB, the least that a part may have which is not the last."""
PARTS = (BIG, b"the rest")
CHUNKS = (bytes(range(256)) * 1024, bytes(range(255, -1, -1)) * 1024, b"last")
"""256 KiB each, the least that a chunk may have which is not the last."""


class Client:
    """Calls an application without a socket, and reports acknowledged requests to the parent."""

    def __init__(self, face, told: Callable[[str], None] = lambda _: None) -> None:
        self._face = face
        self.told = told

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str):
        url = urlsplit(target)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"host": "localhost", "content-length": str(len(body)), **named}
        head = Head(method, url.path, url.query, given)
        return await self._face.handle(Request(head, body))


def check(condition: bool, *what: object) -> None:
    if not condition:
        raise AssertionError(what)


class Resumable:
    """A resumable upload to Cloud Storage in three chunks."""

    face = GcsApp
    content = b"".join(CHUNKS)

    async def upload(self, client: Client) -> None:
        start = "/upload/storage/v1/b/bkt/o?uploadType=resumable&name=k"
        answer = await client.ask("POST", start)
        client.told(f"session {answer.headers['Location']}")
        sent = 0
        for chunk in CHUNKS:
            span = f"bytes {sent}-{sent + len(chunk) - 1}/{len(self.content)}"
            await client.ask("PUT", answer.headers["Location"], chunk, content_range=span)
            sent += len(chunk)
            client.told(f"bytes {sent}")

    async def resume(self, client: Client, told: list[str]) -> None:
        if not told:
            return
        location = told[0].removeprefix("session ")
        acknowledged = int(told[-1].removeprefix("bytes ")) if len(told) > 1 else 0
        size = len(self.content)
        answer = await client.ask("PUT", location, content_range=f"bytes */{size}")
        if answer.status == 308:
            kept = int(answer.headers.get("Range", "bytes=0--1").partition("0-")[2]) + 1
            check(kept >= acknowledged, "acknowledged bytes are missing", kept, acknowledged)
            span = f"bytes {kept}-{size - 1}/{size}"
            answer = await client.ask("PUT", location, self.content[kept:], content_range=span)
        check(answer.status == 200, "it cannot be resumed", answer)

    def whole(self, told: list[str]) -> bool:
        return bool(told)


class Multipart:
    """A multipart upload to Cloud Storage: metadata and bytes in one request."""

    face = GcsApp
    content = b"content"

    async def upload(self, client: Client) -> None:
        body = b'--B\r\n\r\n{"name":"k"}\r\n--B\r\n\r\ncontent\r\n--B--'
        kind = "multipart/related; boundary=B"
        target = "/upload/storage/v1/b/bkt/o?uploadType=multipart"
        answer = await client.ask("POST", target, body, content_type=kind)
        check(answer.status == 200, answer)
        client.told("done")

    async def resume(self, client: Client, told: list[str]) -> None:
        if not told:
            await self.upload(client)

    def whole(self, told: list[str]) -> bool:
        return True


class Put(Multipart):
    """A single PUT to S3."""

    face = S3App

    async def upload(self, client: Client) -> None:
        answer = await client.ask("PUT", "/bkt/k", self.content)
        check(answer.status == 200, answer)
        client.told("done")


class Parts:
    """A multipart upload to S3: two parts, completed, and read."""

    face = S3App
    content = b"".join(PARTS)

    async def upload(self, client: Client) -> None:
        answer = await client.ask("POST", "/bkt/k?uploads")
        upload = re.search(rb"<UploadId>(\w+)", answer.body)[1].decode()
        client.told(f"upload {upload}")
        for number in (1, 2):
            await self._send(client, upload, number)
        await self._complete(client, upload)
        client.told("completed")

    async def _send(self, client: Client, upload: str, number: int) -> None:
        target = f"/bkt/k?uploadId={upload}&partNumber={number}"
        answer = await client.ask("PUT", target, PARTS[number - 1])
        check(answer.status == 200, answer)
        client.told(f"part {number}")

    async def _complete(self, client: Client, upload: str) -> None:
        listed = await self._listed(client, upload)
        named = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in listed.items()
        )
        body = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
        answer = await client.ask("POST", f"/bkt/k?uploadId={upload}", body)
        check(answer.status == 200, "it cannot be completed", answer)

    async def _listed(self, client: Client, upload: str) -> dict[int, str] | None:
        answer = await client.ask("GET", f"/bkt/k?uploadId={upload}")
        if answer.status == 404:
            return None
        result = re.findall(rb"<PartNumber>(\d+)<.*?<ETag>(.*?)</ETag>", answer.body)
        return {int(number): etag.decode() for number, etag in result}

    async def resume(self, client: Client, told: list[str]) -> None:
        if not told:
            return
        upload = told[0].removeprefix("upload ")
        listed = await self._listed(client, upload)
        if listed is None:  # completed; the answer was lost, or told
            return
        acknowledged = {int(each.removeprefix("part ")) for each in told if each.startswith("part")}
        check(acknowledged <= listed.keys(), "acknowledged parts are missing", acknowledged, listed)
        for number in {1, 2} - listed.keys():
            await self._send(client, upload, number)
        await self._complete(client, upload)

    def whole(self, told: list[str]) -> bool:
        return bool(told)


class XmlParts(Parts):
    """A multipart upload through Cloud Storage's XML API."""

    face = GcsApp


KINDS = {kind.__name__: kind for kind in (Resumable, Multipart, Put, Parts, XmlParts)}


def die_at(point: int, counted: list[int]) -> Callable[..., None]:
    """Return a profile function that ends the process at the point of this number."""

    def profile(_frame, event: str, argument: object) -> None:
        if event not in {"c_call", "c_return"} or argument is os.write:
            return
        if getattr(argument, "__name__", "") in CALLS:
            counted[0] += 1
            if counted[0] == point:
                os._exit(KILLED)

    return profile


def run_until(kind, root: Path, point: int) -> tuple[list[str], bool]:
    """Upload in a child that dies at a point; return acknowledged requests, and whether it died."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            _upload(kind, root, writing, die_at(point, [0]))
        except BaseException:  # noqa: BLE001 - a forked child must not continue as its parent
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read().splitlines()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    check(status in {0, KILLED}, "the child failed", status)
    return text, status == KILLED


def _upload(kind, root: Path, told: int, profile: Callable[..., None]) -> None:
    with ObjectStore(root) as store:
        client = Client(kind.face(store), lambda line: os.write(told, f"{line}\n".encode()))
        threading.setprofile(profile)
        sys.setprofile(profile)
        asyncio.run(kind().upload(client))
        store.path(store.get("bkt", KEY)).read_bytes()  # makes one file of the parts
        sys.setprofile(None)


def look(kind, root: Path, told: list[str], old: bytes | None) -> None:
    """Open the store again, resume, and compare all of it."""
    with ObjectStore(root) as store:
        result = store.find("bkt", KEY)
        before = None if result is None else store.path(result).read_bytes()
        check(before in {old, kind.content}, "a torn object", before)
        asyncio.run(kind().resume(Client(kind.face(store)), told))
        if kind().whole(told):
            content = store.path(store.get("bkt", KEY)).read_bytes()
            check(content == kind.content, "another object", content[:100])
    with ObjectStore(root) as store:
        owned = {info.address.hex() for info in store.walk("bkt")}
    # A session that began and whose address never came to the client stays for its week.
    for folder in ("staging", "sessions") if kind().whole(told) else ("staging",):
        left = [path.name for path in (root / folder).iterdir()]
        check(not left, "left behind", folder, left)
    check({path.name for path in (root / "blobs").glob("*/*")} == owned, "blobs left behind")


def main() -> None:
    kind, folder = KINDS[sys.argv[1]], Path(sys.argv[2])
    old = b"old content"
    template = folder / "template"
    with ObjectStore(template) as store:
        store.create_bucket("bkt")
        writer = store.writer()
        writer.write(old)
        store.put("bkt", KEY, writer.finish())
    point, killed = 0, True
    while killed:
        point += 1
        root = Path(shutil.copytree(template, folder / "store"))
        reports, killed = run_until(kind, root, point)
        try:
            look(kind, root, reports, old)
        except BaseException as error:
            error.add_note(f"killed at point {point}, told {reports}")
            raise
        shutil.rmtree(root)
    sys.stdout.write(f"{point - 1}\n")


if __name__ == "__main__":
    main()
