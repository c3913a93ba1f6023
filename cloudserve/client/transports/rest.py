"""TensorFlow Serving's REST API without a transport: its requests and answers.

Source: tensorflow/serving, docs/api_rest.md; model_servers/http_rest_api_handler.cc.
"""

from __future__ import annotations

import email.utils
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from cloudserve.client.payloads.json_form import decode_json, encode_json
from cloudserve.client.transports.address import ServerAddress
from cloudserve.client.transports.channel import Call, Contract, Reply
from cloudserve.errors import RemoteError
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Signature, read_signature

_RETRYABLE = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_QUOTED = 500
_HINTS = {
    HTTPStatus.UNAUTHORIZED: "give a token: `access=Access(token=…)`, or --auth-token-file",
    HTTPStatus.FORBIDDEN: "check the token's rights",
    HTTPStatus.NOT_FOUND: "check the model's name and version in the URL",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "send smaller batches",
    HTTPStatus.TOO_MANY_REQUESTS: "try again later",
    HTTPStatus.SERVICE_UNAVAILABLE: "try again later",
}


@dataclass(frozen=True, slots=True)
class Rest:
    """The REST API of one model."""

    address: ServerAddress

    @property
    def where(self) -> str:
        """Return the model's URL."""
        return self.address.where

    @property
    def limit(self) -> int:
        """Return 0: TensorFlow Serving's REST API has no limit of its own."""
        return 0

    @property
    def pins(self) -> bool:
        """Return True: answers over REST do not name the version."""
        return True

    def url(self, version: str, suffix: str) -> str:
        """Return the URL of a version's resource; digits are a number, anything else a label."""
        kind = "versions" if version.isdecimal() else "labels"
        chosen = f"/{kind}/{quote(version, safe='')}" if version else ""
        return f"{self.address.where}{chosen}{suffix}"

    def encode(self, call: Call) -> bytes:
        """Return the JSON of a request."""
        return encode_json(call, self.where)

    def decode(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the outputs of an answer; raises RemoteError with the server's words."""
        body = self.accepted(status, headers, body)
        version = call.version if call.version.isdecimal() else ""
        return Reply(decode_json(body, call.spec, self.where), version)

    def accepted(self, status: int, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the body of a successful answer; raises RemoteError with the server's words."""
        if status != HTTPStatus.OK:
            raise refusal("the prediction", self.where, status, headers, body)
        return body

    def read_contract(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> Contract | None:
        """Return the signatures in an answer of `/metadata`; None if there are none.

        Raises RemoteError for an answer that a prediction would get too, such as 401 or 503.
        """
        if status in _RETRYABLE or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise refusal("the model's metadata", self.where, status, headers, body)
        if status != HTTPStatus.OK:
            return None
        try:
            document = json.loads(body)
            definitions = document["metadata"]["signature_def"]["signature_def"]
            version = str(document.get("model_spec", {}).get("version", ""))
            return Contract({n: _signature(n, d) for n, d in _visible(definitions)}, version)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def _visible(definitions: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in definitions.items() if name not in HIDDEN_SIGNATURES]


def _signature(name: str, definition: Mapping[str, Any]) -> Signature:
    from google.protobuf import json_format

    try:
        message = json_format.ParseDict(
            definition, proto.SignatureDef(), ignore_unknown_fields=True
        )
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error
    return read_signature(name, message)


def refusal(
    what: str, where: str, status: int, headers: Mapping[str, str], body: bytes
) -> RemoteError:
    """Return the error of a refused request."""
    return RemoteError(
        f"{what} was answered with HTTP {status}: {error_words(body)}",
        where=where,
        status=status,
        hint=_HINTS.get(HTTPStatus(status) if status in set(HTTPStatus) else HTTPStatus.OK)
        or "correct the request, or read the server's log",
        retryable=status in _RETRYABLE,
        retry_after=retry_after(headers.get("retry-after", "")),
    )


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After header: a number, or a date (RFC 9110, 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def error_words(body: bytes) -> str:
    """Return the `error` of TensorFlow Serving's or Google's JSON, or the body's beginning."""
    try:
        error = json.loads(body)["error"]
        words = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        words = body[: 2 * _QUOTED].decode(errors="replace")
    return " ".join(words.split())[:_QUOTED] or "an empty body"
