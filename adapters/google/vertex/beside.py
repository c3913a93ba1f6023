"""A Google API that is read beside Vertex AI."""

from __future__ import annotations

from cloudserve.release.destination import one_endpoint

from ..credentials import Access
from ..destination import OWN
from ..googleapi import RETRIES, GoogleApi


class BesideVertex(GoogleApi):
    """An API of a project and a region, such as monitoring v3.

    `beside` is the URL of Vertex AI: both are offline, or neither is.
    """

    def __init__(
        self,
        api: tuple[str, str],
        endpoint: str,
        beside: str,
        project: str,
        region: str,
        access: Access,
    ) -> None:
        """Take the API's name and version, and its URL, "" for Google's."""
        name, version = api
        url = endpoint or f"https://{name}.googleapis.com"
        super().__init__(name, version, url, access, retries=RETRIES)
        self._beside = beside
        self._project = project
        self._region = region

    def _check_place(self) -> None:
        """Raise UserError if only one of both stays on this machine."""
        one_endpoint({"aiplatform": self._beside, self._api: self._endpoint}, OWN)
