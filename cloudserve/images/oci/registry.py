"""Manifests and blobs of one repository of a registry.

Source: OCI distribution specification 1.1: "Pulling manifests", "Pulling blobs", "Pushing blobs"
(a blob in one PUT, or streamed by one PATCH as Docker, ko and Jib do), "Pushing a blob in chunks"
for the state of an interrupted upload, "Mounting a blob from another repository".
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from cloudserve.errors import RemoteError, UnreachableError
from cloudserve.images.oci.credentials import find_credentials
from cloudserve.images.oci.manifest import (
    ACCEPTED,
    DOCKER_INDEX,
    INDEX,
    Base,
    Descriptor,
    base_layers,
    choose_manifest,
    digest_of,
)
from cloudserve.images.oci.references import Reference
from cloudserve.images.oci.session import Body, Session, refused
from cloudserve.storage.retry import Retry

_MOST_MANIFEST = 4 << 20
_BLOCK = 1 << 20
_ABSENT = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""The answers to a request for a manifest that does not exist; registries conceal repositories."""
_STREAMED = 8 << 20
"""Blobs above this size are sent by PATCH, so that an interrupted upload can be resumed."""
_OCTETS: Mapping[str, str] = {"Content-Type": "application/octet-stream"}
_Result = TypeVar("_Result")
Opener = Callable[[], IO[bytes]]


def silent(line: str) -> None:
    """Ignore a line of progress."""
    del line


@dataclass(slots=True)
class Repository:
    """One repository; requests that fail transiently are repeated."""

    name: str
    session: Session
    retry: Retry = field(default_factory=lambda: Retry(attempts=5))
    notify: Callable[[str], None] = silent

    @property
    def where(self) -> str:
        """Return the repository with its registry's host."""
        return f"{self.session.host}/{self.name}"

    def manifest(self, version: str) -> tuple[bytes, str]:
        """Return a manifest and its media type; raises RemoteError for a wrong digest."""
        return self._run(lambda: self._manifest(version))

    def _manifest(self, version: str) -> tuple[bytes, str]:
        path = f"/v2/{self.name}/manifests/{version}"
        with self.session.open("GET", path, {"Accept": ", ".join(ACCEPTED)}) as response:
            if response.status != HTTPStatus.OK:
                raise refused(response, self.where, f"pulling {version}")
            data = response.read(_MOST_MANIFEST)
            media_type = response.headers.get_content_type()
        if version.startswith("sha256:") and digest_of(data) != version:
            raise RemoteError(
                "the registry sent another manifest than the digest's",
                where=self.where,
                hint="try again; a proxy in between may change the answers",
            )
        return data, media_type

    def find_manifest(self, version: str) -> str:
        """Return the digest of a manifest; "" if there is none, or it may not be read."""
        try:
            return digest_of(self.manifest(version)[0])
        except RemoteError as error:
            if error.status in _ABSENT:
                return ""
            raise

    def blob(self, descriptor: Descriptor, path: Path) -> None:
        """Download a blob into a file, and verify its digest."""
        self._run(lambda: self._blob(descriptor, path))

    def _blob(self, descriptor: Descriptor, path: Path) -> None:
        digest, size = hashlib.sha256(), 0
        with self.session.open("GET", f"/v2/{self.name}/blobs/{descriptor.digest}") as response:
            if response.status != HTTPStatus.OK:
                raise refused(response, self.where, f"pulling {descriptor.digest}")
            with path.open("wb") as file:
                while block := _read(response, self.where):
                    size += len(block)
                    if size > descriptor.size:
                        break
                    digest.update(block)
                    file.write(block)
        if f"sha256:{digest.hexdigest()}" != descriptor.digest:
            raise RemoteError(
                f"the registry sent other bytes than those of {descriptor.digest}",
                where=self.where,
                hint="try again; a proxy in between may change the answers",
                retryable=size < descriptor.size,
            )

    def has(self, digest: str) -> bool:
        """Return whether the repository has a blob."""
        return self._run(lambda: self._has(digest))

    def _has(self, digest: str) -> bool:
        with self.session.open("HEAD", f"/v2/{self.name}/blobs/{digest}") as response:
            if response.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                return bool(response.status == HTTPStatus.OK)
            raise refused(response, self.where, "looking for a layer")

    def mount(self, digest: str, source: str) -> bool:
        """Mount a blob from another repository of the registry; return whether it worked.

        The upload session that a registry opens instead is left to expire.
        """
        query = urlencode({"mount": digest, "from": source})
        with self.session.open("POST", f"/v2/{self.name}/blobs/uploads/?{query}") as response:
            return bool(response.status == HTTPStatus.CREATED)

    def upload(self, descriptor: Descriptor, open_blob: Opener) -> None:
        """Upload a blob; an interrupted upload continues where the registry says it ended."""
        location = ""

        def attempt() -> None:
            nonlocal location
            with open_blob() as file:
                location, offset = self._state(location) if location else ("", 0)
                location = location or self._start()
                if descriptor.size > _STREAMED:
                    location = self._stream(location, file, offset, descriptor.size)
                    self._put(location, descriptor, Body(io.BytesIO(), 0))
                else:
                    address, location = location, ""
                    self._put(address, descriptor, Body(file, descriptor.size))

        self._run(attempt)

    def _start(self) -> str:
        with self.session.open("POST", f"/v2/{self.name}/blobs/uploads/") as response:
            if response.status != HTTPStatus.ACCEPTED:
                raise refused(response, self.where, "starting an upload")
            return self._location(response)

    def _state(self, location: str) -> tuple[str, int]:
        """Return the next URL of an upload and how many bytes the registry has.

        The URL is "" if the registry forgot the upload.
        """
        with self.session.open("GET", location) as response:
            ends = re.fullmatch(r"(?:bytes=)?0-(\d+)", response.headers.get("Range", ""))
            # "0-0" is one byte, or, of several registries, none: such an upload starts again.
            if response.status != HTTPStatus.NO_CONTENT or ends is None or not int(ends[1]):
                return "", 0
            return response.headers.get("Location") or location, int(ends[1]) + 1

    def _stream(self, location: str, file: IO[bytes], offset: int, size: int) -> str:
        if offset >= size:
            return location
        file.seek(offset)
        headers = dict(_OCTETS)
        if offset:
            self.notify(f"continuing the upload at byte {offset} of {size}")
            headers["Content-Range"] = f"{offset}-{size - 1}"
        with self.session.open("PATCH", location, headers, Body(file, size - offset)) as response:
            if response.status not in {HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT}:
                raise refused(response, self.where, "uploading a layer")
            return self._location(response)

    def _put(self, location: str, descriptor: Descriptor, body: Body) -> None:
        joint = "&" if urlsplit(location).query else "?"
        url = f"{location}{joint}digest={quote(descriptor.digest, safe='')}"
        with self.session.open("PUT", url, _OCTETS, body) as response:
            if response.status != HTTPStatus.CREATED:
                raise refused(response, self.where, "completing an upload")

    def put_manifest(self, version: str, data: bytes) -> None:
        """Upload a manifest, which names its media type, under a tag or its digest."""
        self._run(lambda: self._put_manifest(version, data))

    def _put_manifest(self, version: str, data: bytes) -> None:
        path, body = f"/v2/{self.name}/manifests/{version}", Body(io.BytesIO(data), len(data))
        headers = {"Content-Type": json.loads(data)["mediaType"]}
        with self.session.open("PUT", path, headers, body) as response:
            if response.status != HTTPStatus.CREATED:
                raise refused(response, self.where, f"uploading the manifest of {version}")

    def _location(self, response: Any) -> str:
        location: str | None = response.headers.get("Location")
        if not location:
            raise RemoteError(
                "the registry named no address for the upload",
                where=self.where,
                hint="check that the host is a container registry",
            )
        return location

    def _run(self, call: Callable[[], _Result]) -> _Result:
        def report(error: RemoteError, seconds: float) -> None:
            self.notify(f"{error.message}; the next attempt is in {seconds:.1f} s")

        return self.retry.run(call, report)


def open_repository(
    reference: Reference,
    environ: Mapping[str, str],
    *,
    push: bool = False,
    mount_from: Sequence[str] = (),
    notify: Callable[[str], None] = silent,
) -> Repository:
    """Return a repository with the credentials of its registry.

    `mount_from` are repositories of the same registry whose blobs may be mounted.
    """
    credentials = find_credentials(reference.registry, environ, of_push=push)
    actions = "pull,push" if push else "pull"
    scopes = [f"repository:{reference.repository}:{actions}"]
    scopes += [f"repository:{name}:pull" for name in mount_from]
    session = Session(reference.url, credentials, tuple(scopes))
    return Repository(reference.repository, session, notify=notify)


def pull_base(repository: Repository, reference: Reference, folder: Path) -> Base:
    """Return the base image of a reference, for Linux on x86-64; layers are not downloaded."""
    data, media_type = repository.manifest(reference.version)
    if media_type in {INDEX, DOCKER_INDEX}:
        chosen = choose_manifest(json.loads(data), str(reference))
        data, media_type = repository.manifest(chosen.digest)
    manifest = json.loads(data)
    item = manifest["config"]
    path = folder / "base-config.json"
    repository.blob(Descriptor(item["mediaType"], item["digest"], item["size"]), path)
    layers = base_layers(manifest, str(reference))
    name = f"{reference.registry}/{reference.repository}:{reference.tag}"
    return Base(name, digest_of(data), layers, json.loads(path.read_bytes()))


def _read(response: Any, where: str) -> bytes:
    try:
        data: bytes = response.read(_BLOCK)
    except OSError as error:
        raise UnreachableError(
            "the connection ended during a download",
            where=where,
            hint="run the command again: it continues",
            retryable=True,
        ) from error
    return data
