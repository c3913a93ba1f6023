"""Verification of AWS signatures: version 4 in a header or query, version 2 in S3 queries.

Source: AWS IAM guide, "Signature Version 4 signing process"; S3 API reference, "Authenticating
requests" (both versions). Of a streamed S3 upload only the head's signature is verified, not those
of its chunks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from urllib.parse import parse_qsl, quote, unquote

from ....transport.types import Head

_ALGORITHM = "AWS4-HMAC-SHA256"
_PARTS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_STAMP = "%Y%m%dT%H%M%SZ"
_SKEW = timedelta(minutes=15)
_LONGEST = timedelta(days=7)
_UNSIGNED = "UNSIGNED-PAYLOAD"
_S3 = "s3"
# The sub-resources that version 2 signs (S3 API reference, "CanonicalizedResource").
_V2_RESOURCES = frozenset(
    (
        "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber",
        "policy", "requestPayment", "restore", "tagging", "torrent", "uploadId", "uploads",
        "versionId", "versioning", "versions", "website", "response-content-type",
        "response-content-language", "response-expires", "response-cache-control",
        "response-content-disposition", "response-content-encoding",
    )
)  # fmt: skip


class Reason(Enum):
    """Why a signature is not accepted."""

    MISSING = auto()
    INCOMPLETE = auto()
    UNKNOWN_KEY = auto()
    EXPIRED = auto()
    SKEWED = auto()
    MISMATCH = auto()
    SCOPE = auto()


class SignatureError(Exception):
    """A missing or invalid signature; the message never contains the secret."""

    def __init__(self, reason: Reason, message: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class _Claim:
    """The parts of a request's signature."""

    key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    stamp: str


class Verifier:
    """Verifies requests with the configured access keys."""

    def __init__(self, keys: Mapping[str, str], now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now

    def verify(self, head: Head, service: str, payload: bytes | None) -> None:
        """Raise SignatureError unless a known key signed the request for the service.

        `payload` is the body; None for S3, which carries the body's hash in a header.
        """
        if "Signature=" in head.query and "AWSAccessKeyId=" in head.query:
            self._verify_v2(head)
        elif "X-Amz-Signature=" in head.query:
            self._verify_query(head, service)
        else:
            self._verify_header(head, service, payload)

    def _verify_header(self, head: Head, service: str, payload: bytes | None) -> None:
        text = head.headers.get("authorization", "")
        if not text:
            raise SignatureError(Reason.MISSING)
        claim = _read_claim(text, head.headers.get("x-amz-date", ""))
        moment = _moment(claim.stamp)
        if abs(self._now() - moment) > _SKEW:
            raise self._out_of_time(claim.stamp, moment)
        _check_scope(claim, service)
        hashed = head.headers.get("x-amz-content-sha256") if service == _S3 else None
        if hashed is None:
            hashed = hashlib.sha256(payload or b"").hexdigest()
        query = _pairs(head.query)
        self._compare(claim, _canonical(head, claim, query, hashed))

    def _verify_query(self, head: Head, service: str) -> None:
        query = _pairs(head.query)
        params = dict(query)
        claim = _read_claim(
            f"{params.get('X-Amz-Algorithm', '')} Credential={params.get('X-Amz-Credential', '')},"
            f" SignedHeaders={params.get('X-Amz-SignedHeaders', '')},"
            f" Signature={params.get('X-Amz-Signature', '')}",
            params.get("X-Amz-Date", ""),
        )
        _check_scope(claim, service)
        self._check_lifetime(claim, params.get("X-Amz-Expires", ""))
        rest = [pair for pair in query if pair[0] != "X-Amz-Signature"]
        self._compare(claim, _canonical(head, claim, rest, _UNSIGNED))

    def _check_lifetime(self, claim: _Claim, expires: str) -> None:
        if not expires.isdecimal() or timedelta(seconds=int(expires[:9])) > _LONGEST:
            raise SignatureError(Reason.INCOMPLETE, "X-Amz-Expires must be at most a week")
        moment = _moment(claim.stamp)
        now = self._now()
        if moment - now > _SKEW:
            raise SignatureError(Reason.EXPIRED, "Request is not valid yet")
        if now > moment + timedelta(seconds=int(expires)):
            raise SignatureError(Reason.EXPIRED, "Request has expired")

    def _verify_v2(self, head: Head) -> None:
        params = dict(_pairs(head.query))
        secret = self._secret(params["AWSAccessKeyId"])
        expires = params.get("Expires", "")
        if not expires.isdecimal():
            raise SignatureError(Reason.INCOMPLETE, "Expires is missing")
        if self._now().timestamp() > int(expires):
            raise SignatureError(Reason.EXPIRED, "Request has expired")
        digest = hmac.new(secret.encode(), _v2_text(head, params, expires).encode(), hashlib.sha1)
        expected = base64.b64encode(digest.digest()).decode()
        if not hmac.compare_digest(expected, params["Signature"]):
            raise SignatureError(Reason.MISMATCH)

    def _compare(self, claim: _Claim, canonical: str) -> None:
        scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{claim.stamp}\n{scope}\n{hashed}"
        key = f"AWS4{self._secret(claim.key)}".encode()
        for part in (claim.date, claim.region, claim.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise SignatureError(Reason.MISMATCH)

    def _secret(self, key: str) -> str:
        secret = self._keys.get(key)
        if secret is None:
            raise SignatureError(Reason.UNKNOWN_KEY)
        return secret

    def _out_of_time(self, stamp: str, moment: datetime) -> SignatureError:
        now = self._now()
        bound = now - _SKEW if moment < now else now + _SKEW
        word, which, sign = (
            ("expired", "earlier", "-") if moment < now else ("not yet current", "later", "+")
        )
        return SignatureError(
            Reason.SKEWED,
            f"Signature {word}: {stamp} is {'now' if sign == '-' else 'still'} {which} than"
            f" {bound:{_STAMP}} ({now:{_STAMP}} {sign} 15 min.)",
        )


def _read_claim(text: str, stamp: str) -> _Claim:
    parts = dict(_PARTS.findall(text))
    credential = parts.get("Credential", "").split("/")
    fields = ("key", "date", "region", "service", "aws4_request")
    is_whole = (
        text.startswith(f"{_ALGORITHM} ")
        and len(parts) == len(("Credential", "SignedHeaders", "Signature"))
        and len(credential) == len(fields)
    )
    if not is_whole:
        raise SignatureError(
            Reason.INCOMPLETE,
            "Authorization header requires 'Credential' parameter, 'Signature' parameter,"
            " 'SignedHeaders' parameter and existence of either a 'X-Amz-Date' or a 'Date' header.",
        )
    key, date, region, service, _ = credential
    headers = tuple(parts["SignedHeaders"].lower().split(";"))
    return _Claim(key, date, region, service, headers, parts["Signature"], stamp)


def _check_scope(claim: _Claim, service: str) -> None:
    if claim.service != service:
        text = f"Credential should be scoped to correct service: '{service}'."
        raise SignatureError(Reason.SCOPE, text)
    if not claim.stamp.startswith(claim.date):
        text = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date."
        raise SignatureError(Reason.SCOPE, text)
    if "host" not in claim.headers:
        raise SignatureError(Reason.SCOPE, "'Host' must be a signed header.")


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        text = f"Date must be in ISO-8601 'basic format'. Got {stamp!r}."
        raise SignatureError(Reason.INCOMPLETE, text) from None


def _pairs(query: str) -> list[tuple[str, str]]:
    # "+" is a plus sign here, not a space.
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def _canonical(head: Head, claim: _Claim, query: list[tuple[str, str]], hashed: str) -> str:
    is_s3 = claim.service == _S3
    # S3 encodes a path once; the other services encode the path on the wire once more.
    path = quote(unquote(head.path), safe="/-_.~") if is_s3 else quote(head.path, safe="/~")
    encoded = sorted((_encode(name), _encode(value)) for name, value in query)
    headers = "".join(f"{name}:{_header(head, name)}\n" for name in claim.headers)
    return "\n".join(
        (
            head.method,
            path or "/",
            "&".join(f"{name}={value}" for name, value in encoded),
            headers,
            ";".join(claim.headers),
            hashed,
        )
    )


def _header(head: Head, name: str) -> str:
    return " ".join(head.headers.get(name, "").split())


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


def _v2_text(head: Head, params: Mapping[str, str], expires: str) -> str:
    """Return the string that version 2 signs: with the path and its sub-resources."""
    resources = sorted((name, params[name]) for name in params if name in _V2_RESOURCES)
    tail = "&".join(f"{name}={value}" if value else name for name, value in resources)
    amazon = "".join(
        f"{name}:{_header(head, name)}\n"
        for name in sorted(head.headers)
        if name.startswith("x-amz-")
    )
    return "\n".join(
        (
            head.method,
            head.headers.get("content-md5", ""),
            head.headers.get("content-type", ""),
            expires,
            f"{amazon}{head.path}{'?' if tail else ''}{tail}",
        )
    )
