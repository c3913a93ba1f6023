"""The metadata server of a virtual machine, for `--intercept`: who its programs are.

Sources: Compute Engine, "About VM metadata" and "Predefined metadata keys"; google-auth,
`compute_engine/_metadata.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from ...transport.types import Head, Request, Response
from .authentication import SECONDS, Tokens
from .service_account import EMAIL, PROJECT

_ROOT = "/computeMetadata/v1"
_FLAVOR = "metadata-flavor"
_GOOGLE = "Google"
_NUMBER = "0"
_ACCOUNT = {
    "aliases": ["default"],
    "email": EMAIL,
    "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
}
_TREE: Mapping[str, Any] = {
    "instance": {
        "id": 0,
        "name": "offline",
        "region": f"projects/{_NUMBER}/regions/us-central1",
        "zone": f"projects/{_NUMBER}/zones/us-central1-a",
        "attributes": {},
        "service-accounts": {"default": _ACCOUNT, EMAIL: _ACCOUNT},
    },
    "project": {"project-id": PROJECT, "numeric-project-id": 0, "attributes": {}},
    "universe": {"universe-domain": "googleapis.com"},
}


def is_metadata(head: Head) -> bool:
    """Return whether a request is for the metadata server."""
    return head.path.startswith(_ROOT) or (head.path == "/" and _FLAVOR in head.headers)


class MetadataServer:
    """The application of `metadata.google.internal`."""

    def __init__(self, tokens: Tokens) -> None:
        """Take the tokens of the offline service account."""
        self._tokens = tokens

    def body_limit(self, _: Head) -> int | None:
        """Collect nothing: there are no bodies."""
        return None

    async def handle(self, request: Request) -> Response:
        """Answer with a value, a listing or a token."""
        head = request.head
        if head.headers.get(_FLAVOR) != _GOOGLE or "x-forwarded-for" in head.headers:
            return _text("Missing Metadata-Flavor:Google header.", HTTPStatus.FORBIDDEN)
        if head.method != "GET":
            return _text("The metadata server takes GET.", HTTPStatus.METHOD_NOT_ALLOWED)
        names = [name for name in head.path.removeprefix(_ROOT).split("/") if name]
        if names[-1:] == ["token"] and _find(names[:-1]) is _ACCOUNT:
            return _json(self._token())
        found = {"computeMetadata": {"v1": {}}} if head.path == "/" else _find(names)
        if found is None:
            return _text(f"{head.path} does not exist offline.", HTTPStatus.NOT_FOUND)
        return _shown(found, is_recursive="true" in parse_qs(head.query).get("recursive", ()))

    def failed(self, _: Head) -> Response:
        """Return the response to a request that failed for a reason of this server."""
        return _text("The metadata server has failed.", HTTPStatus.INTERNAL_SERVER_ERROR)

    def _token(self) -> dict[str, Any]:
        return {
            "access_token": self._tokens.issue(),
            "expires_in": SECONDS,
            "token_type": "Bearer",
        }


def _find(names: list[str]) -> Any:
    """Return the value of a key; None if there is none."""
    found: Any = _TREE
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _shown(found: Any, *, is_recursive: bool) -> Response:
    """Return a value as text; a folder as its keys, or as JSON with all below it."""
    if is_recursive:
        return _json(found)
    if isinstance(found, Mapping):
        lines = (f"{name}/" if isinstance(each, Mapping) else name for name, each in found.items())
        return _text("".join(f"{line}\n" for line in lines))
    return _text("\n".join(found) + "\n" if isinstance(found, list) else str(found))


def _json(document: object) -> Response:
    headers = {"Metadata-Flavor": _GOOGLE}
    return Response(HTTPStatus.OK, json.dumps(document).encode(), "application/json", headers)


def _text(text: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(status, text.encode(), "application/text", {"Metadata-Flavor": _GOOGLE})
