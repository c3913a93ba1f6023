"""Keys that the caller supplies for an object (`x-goog-encryption-…`).

The bytes are stored unencrypted here; that a reader has the writer's key is checked. Source: Cloud
Storage, "Customer-supplied encryption keys", and the reasons of "HTTP status and error codes".
"""

from __future__ import annotations

import base64
import hashlib

from ..store.types import ObjectInfo
from .errors import GcsError
from .request import GcsCall

KEY = "x-goog-encryption-"
SOURCE_KEY = "x-goog-copy-source-encryption-"
ALGORITHM = "AES256"
KEY_BYTES = 32


def key_hash(call: GcsCall, prefix: str = KEY) -> str:
    """Return the SHA-256 of a request's key in base64, "" if it has none; raises GcsError."""
    headers = call.head.headers
    names = ("algorithm", "key", "key-sha256")
    algorithm, key, announced = (headers.get(f"{prefix}{name}", "") for name in names)
    if not (algorithm or key or announced):
        return ""
    if algorithm != ALGORITHM:
        raise _bad(
            "customerEncryptionAlgorithmIsInvalid", "Missing or invalid encryption algorithm"
        )
    try:
        raw = base64.b64decode(key, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise _bad("customerEncryptionKeyFormatIsInvalid", "Missing or invalid encryption key")
    computed = base64.b64encode(hashlib.sha256(raw).digest()).decode()
    if announced != computed:
        message = "Missing or invalid SHA256 hash of the encryption key"
        raise _bad("customerEncryptionKeySha256IsInvalid", message)
    return computed


def check_key(call: GcsCall, info: ObjectInfo, prefix: str = KEY) -> None:
    """Raise GcsError unless a request has the key of an object, if it has one."""
    given, wanted = key_hash(call, prefix), info.properties.customer_key
    if given == wanted:
        return
    if not given:
        message = "The target object is encrypted by a customer-supplied encryption key."
        raise _bad("resourceIsEncryptedWithCustomerEncryptionKey", message)
    if not wanted and prefix == KEY:
        message = "The target object is not encrypted by a customer-supplied encryption key."
        raise _bad("resourceNotEncryptedWithCustomerEncryptionKey", message)
    message = "The provided encryption key is incorrect."
    raise _bad("customerEncryptionKeyIsIncorrect", message)


def _bad(reason: str, message: str) -> GcsError:
    return GcsError(400, reason, message)
