"""The OpenAPI document of a server's models: `GET /openapi.json`. Other requests are passed on.

The document is made at each request: models and labels come and go. Its library is imported by the
first one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ...models import State
from ...models.manager import Handle
from ...status import StatusError
from ...transport.types import Application, Head, Request, Response, Together, together_of
from .health import ServerStatus

if TYPE_CHECKING:
    from cloudserve.openapi.document import DescribedModel

HandleOf = Callable[[str], Handle]
_PATH = "/openapi.json"
_JSON = "application/json"


class OpenApi:
    """Describes the models; passes other requests on (an Application)."""

    def __init__(self, status: ServerStatus, handle: HandleOf, app: Application) -> None:
        """Take the server's status, and a function that takes a handle on a model."""
        self._status = status
        self._handle = handle
        self._app = app

    def body_limit(self, head: Head) -> int | None:
        """Return 0 for the document, else the application's limit."""
        return 0 if _is_own(head) else self._app.body_limit(head)

    def together(self, head: Head) -> Together | None:
        """Return the application's function; None for the document."""
        return None if _is_own(head) else together_of(self._app, head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer with the document, or pass the request on."""
        return self._document() if _is_own(request.head) else self._app.handle(request)

    def _document(self) -> Response:
        import msgspec

        from cloudserve.openapi.document import openapi_document

        described = [self._describe(name) for name in self._status.models()]
        models = [model for model in described if model is not None]
        body = msgspec.json.encode(openapi_document(models, "Models of this server"))
        return Response(200, body, _JSON)

    def _describe(self, name: str) -> DescribedModel | None:
        """Return a model with the signatures of its highest version; None if none is available."""
        from cloudserve.openapi.document import DescribedModel

        states = self._status.models()[name]
        versions = tuple(one.version for one in states if one.state is State.AVAILABLE)
        try:
            with self._handle(name) as servable:
                signatures = tuple(servable.model.signatures.values())
        except StatusError:  # it is loading, or was unloaded in this moment
            return None
        return DescribedModel(name, signatures, versions, self._status.labels(name))


def _is_own(head: Head) -> bool:
    return head.method in {"GET", "HEAD"} and head.path == _PATH
