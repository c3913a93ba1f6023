"""A model of AI Platform by its name: the entry point `ai-platform` of `cloudserve.endpoints`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudserve.release.destination import Destination
from cloudserve.release.provider import CloudEndpoint, PlatformAnswer

from ...extras import extra

if TYPE_CHECKING:
    from .api import MlClient

OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"
OWN = "https://ml.googleapis.com"
LARGEST_REQUEST = 1_572_864


def open_endpoint(
    address: str, parts: Mapping[str, str], environ: Mapping[str, str]
) -> CloudEndpoint:
    """Return a model. Raises MissingExtraError without `cloudserve[gcp]`, UserError for a host."""
    with extra(address, "gcp"):
        from ..credentials import Access
        from ..hosts import api_of
        from .api import MlClient
    base = parts.get("base", OWN)
    url = api_of(address, parts, environ.get(OVERRIDE, ""), base, "ml.googleapis.com")
    return AiPlatformModel(parts["model"], MlClient(parts["project"], url, Access(environ)))


class AiPlatformModel:
    """One model of a project."""

    def __init__(self, model: str, ml: MlClient) -> None:
        self._model = model
        self._ml = ml

    @property
    def request_limit(self) -> int:
        """Return 1.5 MB ("Request payload size exceeds the limit: 1572864 bytes.")."""
        return LARGEST_REQUEST

    def destination(self) -> Destination:
        """Return the project that the calls reach, or the offline clouds."""
        return self._ml.reached()

    def ask(self, body: bytes, version: str, seconds: float) -> PlatformAnswer:
        """Send a prediction once, to the default version or to a named one."""
        answer = self._ml.predict(self._model, version or None, body, seconds)
        return PlatformAnswer(answer, version)
