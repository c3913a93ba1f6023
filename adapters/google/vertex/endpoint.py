"""An endpoint of Vertex AI by its name: the entry point `vertex` of `cloudserve.endpoints`.

The endpoint is read once, to learn where it answers: on the shared host, on its own, or inside a
network. Without permission to read it, the shared host is asked.

Sources: aiplatform v1, `Endpoint` and `PrivateEndpoints`; google-cloud-aiplatform,
`PrivateEndpoint.predict`: a peered endpoint (`network`) is sent plain HTTP without a token, at the
`predictHttpUri` of its only DeployedModel; one of Private Service Connect has an address that only
the caller knows, and its certificate is not verified there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING

from cloudserve.errors import RemoteError, UserError
from cloudserve.release.destination import Destination
from cloudserve.release.provider import CloudEndpoint, PlatformAnswer

from ...extras import extra

if TYPE_CHECKING:
    from .api import VertexApi

OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"
SHARED_REQUEST, DEDICATED_REQUEST = 1_572_864, 10_485_760
"""Bytes of a prediction; see `Vertex.request_limit`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint answers; all fields are "" on the shared host."""

    dns: str = ""
    """The endpoint's own host."""
    private: str = ""
    """The URL inside the network that the endpoint is peered with."""


def open_endpoint(
    address: str, parts: Mapping[str, str], environ: Mapping[str, str]
) -> CloudEndpoint:
    """Return an endpoint. Raises MissingExtraError without `cloudserve[gcp]`, UserError for a host.

    A private URL needs no project: it is asked as it is.
    """
    with extra(address, "gcp"):
        from ..credentials import Access
        from ..hosts import api_of
        from .api import VertexApi
    region = parts.get("region", "")
    own = f"https://{region}-aiplatform.googleapis.com"
    suffix = "aiplatform.googleapis.com"
    base = parts.get("base", "")
    dns = base.partition("://")[2] if base.endswith(".prediction.vertexai.goog") else ""
    known = {**parts, "base": ""} if dns else parts
    url = api_of(address, known, environ.get(OVERRIDE, ""), own, suffix)
    api = VertexApi(parts.get("project", ""), region, url, Access(environ))
    place = Place(parts.get("dns", dns), parts.get("private", ""))
    return VertexEndpoint(address, parts["endpoint"], api, place if place != Place() else None)


class VertexEndpoint:
    """One endpoint of a project and region."""

    def __init__(self, address: str, endpoint: str, api: VertexApi, place: Place | None) -> None:
        """Take where it answers, or None to read it."""
        self._address = address
        self._endpoint = endpoint
        self._api = api
        self._known = place

    @property
    def request_limit(self) -> int:
        """Return 10 MB for an endpoint with a host of its own, 1.5 MB on the shared one."""
        if self._place.private:
            return 0
        return DEDICATED_REQUEST if self._place.dns else SHARED_REQUEST

    def destination(self) -> Destination:
        """Return the project that the calls reach, or the offline clouds."""
        if self._place.private:
            return Destination("google", self._place.private)
        return self._api.reached()

    def ask(self, body: bytes, version: str, seconds: float) -> PlatformAnswer:
        """Send a prediction once; the answer names the DeployedModel.

        Raises UserError for a version: the traffic split decides.
        """
        if version:
            raise UserError(
                "Vertex AI does not let a request choose among an endpoint's deployments",
                where=self._address,
                hint="leave the version out: the endpoint's traffic decides",
            )
        if self._place.private:
            return PlatformAnswer(self._api.ask_private(self._place.private, body, seconds), "")
        return PlatformAnswer(
            *self._api.raw_predict(self._endpoint, self._place.dns, body, seconds)
        )

    @cached_property
    def _place(self) -> Place:
        return self._known or self._read()

    def _read(self) -> Place:
        try:
            record = self._api.endpoint(self._endpoint) or {}
        except RemoteError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            return Place()
        if record.get("network"):
            return Place(private=self._private(record))
        connect = record.get("privateServiceConnectConfig", {})
        if connect.get("enablePrivateServiceConnect"):
            raise UserError(
                "the endpoint answers through Private Service Connect, at an address of its users'",
                where=self._address,
                hint="ask it with google-cloud-aiplatform: PrivateEndpoint.predict(…, "
                "endpoint_override=ADDRESS)",
            )
        return Place(str(record.get("dedicatedEndpointDns", "")))

    def _private(self, record: Mapping[str, object]) -> str:
        deployed = record.get("deployedModels")
        first = deployed[0] if isinstance(deployed, list) and deployed else {}
        uri = str(first.get("privateEndpoints", {}).get("predictHttpUri", ""))
        if not uri:
            raise UserError(
                "the private endpoint has no deployed model with an address",
                where=self._address,
                hint="deploy a model; offline there are no networks that reach it",
            )
        return uri
