"""The offline service account: google-auth's key file format with the emulator's token endpoint.

`google.auth.default()` works unchanged with it. The key is valid for this emulator only.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from cloudserve.errors import MissingExtraError
from cloudserve.files import replace_atomically

PROJECT = "cloudserve-offline"
EMAIL = f"offline@{PROJECT}.iam.gserviceaccount.com"
FILE = "service-account.json"
_KEY_BITS = 2048


def write_service_account(path: Path, token_uri: str) -> None:
    """Write the key file atomically, readable by its owner only; an existing key is kept.

    Generating a key takes a tenth of a second. Raises MissingExtraError without `cryptography`,
    which google-auth depends on.
    """
    account = _read(path) or _new_account()
    account["token_uri"] = token_uri
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_atomically(path, json.dumps(account, indent=2).encode(), 0o600)


class AccountKey:
    """The offline account's key, to verify what a client signed with it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def verify(self, account: str, text: bytes, signature: bytes) -> bool:
        """Return whether the account signed a text; also for another account: its key is unknown.

        Raises MissingExtraError without `cryptography`.
        """
        if account != EMAIL:
            return True
        key = _read(self._path)
        return key is not None and _is_signed(key["private_key"], text, signature)


def _is_signed(pem: str, text: bytes, signature: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise MissingExtraError("The offline Google Cloud", "gcp") from error
    private = load_pem_private_key(pem.encode(), None)
    if not isinstance(private, RSAPrivateKey):
        return False
    try:
        private.public_key().verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _read(path: Path) -> dict[str, Any] | None:
    try:
        account = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return account if isinstance(account, dict) and "private_key" in account else None


def _new_account() -> dict[str, Any]:
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": secrets.token_hex(20),
        "private_key": _private_key(),
        "client_email": EMAIL,
        "client_id": "0",
    }


def _private_key() -> str:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as error:
        raise MissingExtraError("The offline Google Cloud", "gcp") from error
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()
