"""Cloud Resource Manager (cloudresourcemanager v3): the caller's permissions in a project.

Source: its discovery document; any project exists offline. Everything else is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ....status import Code
from ....transport.types import Head, Response
from ...offers import Offers, offers
from ...resources import Document
from ..common.app import GoogleApp, handler_of, read_body
from ..common.discovery import load
from ..common.errors import ApiError, json_response
from ..common.permissions import Denied, check_names

# Cloud Monitoring's paths continue below the project.
_PATH = re.compile(r"/v3/projects/[^/:]+(?::\w+)?|/v3/projects(?::search)?")
_MOST = 100
Handler = Callable[[Document], Document]


def is_resource_manager(head: Head) -> bool:
    """Return whether a request is about a project itself."""
    return _PATH.fullmatch(head.path) is not None


class ResourceManager(GoogleApp):
    """The cloudresourcemanager v3 application."""

    def __init__(self, denied: Denied | None = None) -> None:
        self._denied = denied or Denied()
        self._api = load("cloudresourcemanager", "v3")
        self._handlers: Mapping[str, Handler] = {
            "cloudresourcemanager.projects.testIamPermissions": self.test_permissions,
        }

    @property
    def offers(self) -> Offers:
        """Return the methods that the service answers."""
        return offers("cloudresourcemanager", self._handlers)

    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request by its method."""
        call = self._api.match(head.method, head.path, head.query)
        handler = handler_of(self._handlers, call)
        return json_response(handler(read_body(self._api, call, body)))

    def test_permissions(self, body: Document) -> Document:
        """Return those of the named permissions that are not denied."""
        names = body.get("permissions", [])
        if len(names) > _MOST:
            raise ApiError(Code.INVALID_ARGUMENT, f"At most {_MOST} permissions can be tested.")
        check_names(names)
        held = [name for name in names if not self._denied.covers(name)]
        return {"permissions": held} if held else {}
