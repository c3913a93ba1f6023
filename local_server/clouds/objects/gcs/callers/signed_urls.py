"""Signed URLs and signed policies of Cloud Storage, versions 2 and 4.

Expiry is always checked; the signature, if it is the offline service account's. Another account's
key is not known here. Sources: Cloud Storage, "Signed URLs", "V4 signing process", "V2 signing
process", "Policy document".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

from .....transport.types import Head
from ..xml.errors import XmlError

Verify = Callable[[str, bytes, bytes], bool]
"""Returns whether an account signed a text with this signature; also if its key is not known."""

LONGEST = 7 * 24 * 3600
STAMP = "%Y%m%dT%H%M%SZ"
ALGORITHM = "GOOG4-RSA-SHA256"
V2_UNSIGNED = frozenset({
    "Expires", "GoogleAccessId", "Signature", "generation", "response-content-disposition",
    "response-content-type",
})  # fmt: skip
"""The parameters that version 2 does not sign."""
_NO_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your"
    " Google secret key and signing method."
)


def trusting(_account: str, _text: bytes, _signature: bytes) -> bool:
    """Return True: no key is known."""
    return True


@dataclass(frozen=True, slots=True)
class Claim:
    """Who signed a request, what, and until when it is valid."""

    account: str
    text: bytes
    signature: bytes
    begins: float
    ends: float


def is_signed_url(head: Head) -> bool:
    """Return whether a request has a signature of Cloud Storage in its query."""
    return "X-Goog-Signature=" in head.query or "GoogleAccessId=" in head.query


def check_url(head: Head, verify: Verify, now: float) -> None:
    """Raise XmlError unless a signed URL is valid."""
    pairs = parse_qsl(head.query.replace("+", "%2B"), keep_blank_values=True)
    query = dict(pairs)
    try:
        claim = _v4(head, query) if "X-Goog-Signature" in query else _v2(head, query)
    except (KeyError, ValueError, OverflowError) as error:
        message = "Invalid argument."
        details = f"The query parameters of the signature are not valid: {error}"
        raise XmlError(400, "AuthorizationQueryParametersError", message, details) from error
    check_claim(claim, verify, now)


def check_claim(claim: Claim, verify: Verify, now: float) -> None:
    """Raise XmlError unless a claim is valid now and has its account's signature."""
    if now < claim.begins - 15 * 60:
        raise XmlError(403, "AccessDenied", "Access denied.", "Request signature is not valid yet.")
    if now > claim.ends:
        ended = datetime.fromtimestamp(claim.ends, UTC).isoformat(timespec="seconds")
        details = f"Request signature expired at: {ended}"
        raise XmlError(400, "ExpiredToken", "The provided token has expired.", details)
    if not verify(claim.account, claim.text, claim.signature):
        raise XmlError(403, "SignatureDoesNotMatch", "Access denied.", _NO_MATCH)


def _v4(head: Head, query: Mapping[str, str]) -> Claim:
    account, _, scope = query["X-Goog-Credential"].partition("/")
    begins = datetime.strptime(query["X-Goog-Date"], STAMP).replace(tzinfo=UTC)
    seconds = int(query["X-Goog-Expires"])
    if query["X-Goog-Algorithm"] != ALGORITHM or not 0 < seconds <= LONGEST:
        raise ValueError("X-Goog-Algorithm is GOOG4-RSA-SHA256, X-Goog-Expires at most 604800")
    names = query["X-Goog-SignedHeaders"].split(";")
    if "host" not in names:
        raise ValueError("host is a signed header")
    headers = "".join(f"{name}:{' '.join(head.headers.get(name, '').split())}\n" for name in names)
    rest = sorted(
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in query.items()
        if name != "X-Goog-Signature"
    )
    canonical = "\n".join(
        (
            head.method,
            quote(unquote(head.path), safe="/~"),
            "&".join(f"{name}={value}" for name, value in rest),
            headers,
            ";".join(names),
            head.headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD")
            if "x-goog-content-sha256" in names
            else "UNSIGNED-PAYLOAD",
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{query['X-Goog-Date']}\n{scope}\n{hashed}".encode()
    ends = begins + timedelta(seconds=seconds)
    signature = bytes.fromhex(query["X-Goog-Signature"])
    return Claim(account, text, signature, begins.timestamp(), ends.timestamp())


def _v2(head: Head, query: Mapping[str, str]) -> Claim:
    signed = sorted((name, value) for name, value in query.items() if name not in V2_UNSIGNED)
    tail = "&".join(f"{name}={value}" if value else name for name, value in signed)
    google = "".join(
        f"{name}:{' '.join(value.split())}\n"
        for name, value in sorted(head.headers.items())
        if name.startswith("x-goog-") and name not in _NEVER_SIGNED
    )
    text = "\n".join(
        (
            head.method,
            head.headers.get("content-md5", ""),
            head.headers.get("content-type", ""),
            str(int(query["Expires"])),
            f"{google}{quote(unquote(head.path), safe='/~')}{'?' if tail else ''}{tail}",
        )
    )
    try:
        signature = base64.b64decode(query["Signature"], validate=True)
    except binascii.Error as error:
        raise ValueError("Signature is base64") from error
    return Claim(query["GoogleAccessId"], text.encode(), signature, 0.0, int(query["Expires"]))


_NEVER_SIGNED = frozenset(
    {"x-goog-api-client", "x-goog-encryption-key", "x-goog-encryption-key-sha256"}
)
"""Source: "V2 signing process", "About canonical extension headers"."""


def policy_claim(fields: Mapping[str, str], now: float) -> Claim:
    """Return who signed the policy in a form's fields; raises XmlError."""
    policy = fields["policy"].encode()
    try:
        if "x-goog-signature" in fields:
            account = fields["x-goog-credential"].partition("/")[0]
            signature = bytes.fromhex(fields["x-goog-signature"])
        else:
            account = fields["googleaccessid"]
            signature = base64.b64decode(fields["signature"], validate=True)
    except (KeyError, ValueError) as error:
        message = "Access denied."
        raise XmlError(403, "SignatureDoesNotMatch", message, _NO_MATCH) from error
    return Claim(account, policy, signature, now, now)
