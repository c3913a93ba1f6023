"""An endpoint of a platform, asked by its own name, without a project."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from cloudserve import registry
from cloudserve.client.payloads.json_form import decode_json, encode_json
from cloudserve.client.transports.channel import Call, Contract, Reply
from cloudserve.client.transports.cloud_address import CloudAddress
from cloudserve.release.destination import Destination
from cloudserve.release.provider import CloudEndpoint
from cloudserve.savedmodel import read_saved_model, resolve


class CloudWire:
    """The form of requests to an endpoint: `instances`, which every platform knows."""

    pins = False

    def __init__(self, where: str, endpoint: CloudEndpoint) -> None:
        self.where = where
        self._endpoint = endpoint

    @cached_property
    def limit(self) -> int:
        """Return the largest request; an endpoint of Vertex AI is read to know it."""
        return self._endpoint.request_limit

    def encode(self, call: Call) -> bytes:
        """Return the JSON of a request."""
        return encode_json(call, self.where, rows_only=True)


class CloudChannel:
    """An endpoint for threads. The adapter's SDK keeps connections and credentials.

    The platforms do not tell the signatures of an endpoint. Without the `files` of its model
    payloads are sent as they are, and the types of the answer are those of JSON.
    """

    def __init__(
        self, address: CloudAddress, environ: Mapping[str, str], files: Path | None = None
    ) -> None:
        """Raises UserError for a host that is not the platform's, MissingExtraError, ModelError."""
        self._address = address
        self._contract = None if files is None else _contract(files)
        self._endpoint = registry.endpoint(
            address.provider,
            address.text,
            {**address.parts, "target_model": address.model},
            environ,
        )

    @cached_property
    def wire(self) -> CloudWire:
        """Return the form of its requests, with the platform's limit."""
        return CloudWire(self._address.text, self._endpoint)

    @cached_property
    def destination(self) -> Destination:
        """Return where requests go: the offline clouds, or a cloud account; read once."""
        return self._endpoint.destination()

    def describe(self, version: str, seconds: float) -> Contract | None:
        """Return the signatures of the model's files; None without files."""
        del version, seconds
        return self._contract

    def confirm(self, version: str) -> bool:
        """Return False: nothing is known of the files."""
        del version
        return False

    def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Send a prediction; see Channel."""
        answer = self._endpoint.ask(request, call.version, seconds)
        return Reply(decode_json(answer.body, call.spec, self.wire.where), answer.revision)

    def send_json(self, body: bytes, version: str, seconds: float) -> bytes:
        """Send a JSON request unchanged, and return the answer unchanged."""
        return self._endpoint.ask(body, version, seconds).body

    def close(self) -> None:
        """Close nothing: the SDK's connections end with the endpoint."""


def _contract(files: Path) -> Contract:
    """Read the signatures of a SavedModel, or of the highest version of a base path."""
    model = read_saved_model(resolve(files)[1])
    return Contract({each.name: each for each in model.signatures})
