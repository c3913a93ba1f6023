"""Requests changed at random: in their bytes, their JSON, their query, path and headers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from .wire import Message

DEEP: Any = "x"
for _ in range(150):
    DEEP = [DEEP]

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 10**30, 1e308, "", "\0", "\ud800",
    "é€😀", "x" * 5000, [], {}, [None], {"": None}, [[]], {"a": {"b": [1]}}, DEEP, "-1", "1e9",
    "9" * 40, "NaN", "a/b", "../..", "%00", "gs://", "s3://", "projects/p/models/m", "2026-01-01",
)  # fmt: skip
SNIPPETS: tuple[bytes, ...] = (
    b"\xff", b"\xed\xa0\x80", b"\0", b"NaN", b'"\\ud800"', b"[" * 2000, b"9" * 2000, b"\r\n",
    b"<a>", b"&#0;", b"<!DOCTYPE a>", b"--", b'"', b"{", b"}", b"%", b"\xef\xbb\xbf", b"1e999",
)  # fmt: skip
TEXTS: tuple[bytes, ...] = (
    b"", b"0", b"-1", b"9" * 30, b"\xff", b"%FF", b"%00", b"%ED%A0%80", b"a/b", b"..", b"*", b"x",
    b"%2E%2E%2F", b"%C3%A9", b"a" * 2000, b"bytes=0-", b"bytes 0-4/*", b"bytes */*", b"2,3", b"=",
    b"text/plain; charset=x", b'multipart/related; boundary="', b"crc32c=AAAAAA==",
    b"=?utf-8?q?=FF?=",
)  # fmt: skip
HEADERS: tuple[bytes, ...] = (
    b"Content-Type", b"Range", b"Content-Range", b"If-Match", b"If-None-Match", b"Content-MD5",
    b"If-Modified-Since", b"X-Goog-Hash", b"X-Amz-Copy-Source", b"X-Amz-Tagging", b"Accept",
    b"X-Amz-Copy-Source-Range", b"Content-Encoding", b"X-Amz-Checksum-Crc32", b"X-Amz-Trailer",
    b"X-Amz-Decoded-Content-Length", b"X-Upload-Content-Length", b"X-Amz-Target", b"Authorization",
    b"X-Amz-Content-Sha256", b"X-Amz-Meta-K", b"X-Goog-Meta-K", b"X-Amz-Checksum-Algorithm",
    b"X-Amzn-SageMaker-Target-Variant", b"X-Amzn-SageMaker-Target-Model", b"X-Amz-Object-Lock-Mode",
)  # fmt: skip

Mutation = Callable[[Message, random.Random], Message]


def mutate(message: Message, chance: random.Random) -> Message:
    """Return a request with one to three changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        message = chance.choice(MUTATIONS)(message, chance)
    return message


def _bytes(message: Message, chance: random.Random) -> Message:
    """Insert, replace, remove or repeat bytes of the body."""
    body = message.body
    start, end = sorted(chance.randint(0, len(body)) for _ in range(2))
    middle = chance.choice((chance.choice(SNIPPETS), b"", body[start:end] * 2, body[:start]))
    return replace(
        message, body=body[:start] + middle + body[end if chance.random() < 0.5 else start :]
    )


def _cut(message: Message, chance: random.Random) -> Message:
    return replace(message, body=message.body[: chance.randint(0, len(message.body))])


def _json(message: Message, chance: random.Random) -> Message:
    """Put an odd value, or an odd name, somewhere into a JSON body."""
    start = max(message.body.find(b"{"), 0)
    try:
        value, end = json.JSONDecoder().raw_decode(message.body[start:].decode("utf-8"))
    except (ValueError, RecursionError):
        return _bytes(message, chance)
    changed = json.dumps(_changed(value, chance)).encode()
    return replace(message, body=message.body[:start] + changed + message.body[start + end :])


def _changed(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, dict | list) or not value or chance.random() < 0.2:
        return chance.choice(VALUES)
    if isinstance(value, list):
        position = chance.randrange(len(value))
        return [*value[:position], _changed(value[position], chance), *value[position + 1 :]]
    name = chance.choice(list(value))
    rest = {key: item for key, item in value.items() if key != name}
    match chance.randrange(6):
        case 0:
            return rest
        case 1:
            return {**value, str(chance.choice(VALUES))[:100]: value[name]}
        case _:
            return {**rest, name: _changed(value[name], chance)}


def _query(message: Message, chance: random.Random) -> Message:
    path, _, query = message.target.partition(b"?")
    pairs = [each for each in query.split(b"&") if each]
    pair = b"%s=%s" % (chance.choice(QUERY_NAMES), chance.choice(TEXTS))
    if pairs and chance.random() < 0.6:
        position = chance.randrange(len(pairs))
        name = pairs[position].partition(b"=")[0]
        pairs[position] = chance.choice((b"%s=%s" % (name, chance.choice(TEXTS)), name, pair, b""))
    else:
        pairs.append(pair)
    return _aimed(message, path + b"?" + b"&".join(pairs))


QUERY_NAMES: tuple[bytes, ...] = (
    b"prefix", b"delimiter", b"pageToken", b"maxResults", b"max-keys", b"marker", b"uploads",
    b"uploadId", b"upload_id", b"partNumber", b"generation", b"ifGenerationMatch", b"alt", b"name",
    b"uploadType", b"updateMask", b"filter", b"pageSize", b"list-type", b"versionId",
    b"encoding-type",
    b"continuation-token", b"projection", b"fields", b"orderBy", b"endpointId", b"max-uploads",
    b"part-number-marker", b"X-Amz-Credential", b"X-Amz-Expires", b"response-content-type", b"acl",
    b"userProject", b"predefinedAcl", b"versions", b"softDeleted", b"startOffset", b"tagging",
    b"$alt",
)  # fmt: skip


def _path(message: Message, chance: random.Random) -> Message:
    path, mark, query = message.target.partition(b"?")
    segments = path.split(b"/")
    position = chance.randrange(len(segments))
    segments[position : position + chance.randint(0, 1)] = [chance.choice(TEXTS).replace(b" ", b"")]
    return _aimed(message, b"/".join(segments) + mark + query)


def _aimed(message: Message, target: bytes) -> Message:
    """Return the request with a target that is one word of ASCII and begins with a slash."""
    clean = quote(target, safe="/%?&=:+,;@*$-._~!'()[]").encode()
    return replace(message, target=clean if clean.startswith(b"/") else b"/" + clean)


def _header(message: Message, chance: random.Random) -> Message:
    headers = list(message.headers)
    changeable = [i for i, pair in enumerate(headers) if pair[0].lower() != b"host"]
    added = (chance.choice(HEADERS), chance.choice(TEXTS))
    match chance.randrange(3) if changeable else 0:
        case 0:
            headers.append(added)
        case 1:
            del headers[chance.choice(changeable)]
        case _:
            position = chance.choice(changeable)
            headers[position] = (headers[position][0], added[1])
    return replace(message, headers=tuple(headers))


def _method(message: Message, chance: random.Random) -> Message:
    methods = (b"GET", b"PUT", b"POST", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS")
    return replace(message, method=chance.choice(methods))


MUTATIONS: tuple[Mutation, ...] = (
    _json, _json, _json, _json, _bytes, _bytes, _cut, _query, _query, _path, _header, _header,
    _method,
)  # fmt: skip
