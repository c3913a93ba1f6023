"""A model in this process: the local server's runtime, without a server."""

from __future__ import annotations

import threading
from pathlib import Path

from cloudserve import registry
from cloudserve.client.transports.channel import Call, Contract, Reply
from cloudserve.errors import CloudserveError, RemoteError, UserError
from cloudserve.local.servers import LoadedModel
from cloudserve.modelfiles.files import resolve_model


class InProcess:
    """The form of requests to a loaded model: the arrays themselves."""

    limit = 0
    pins = False

    def __init__(self, path: Path) -> None:
        self.where = str(path)

    def encode(self, call: Call) -> bytes:
        """Return nothing: the call has the arrays."""
        del call
        return b""


class LocalChannel:
    """Runs models of a path: a SavedModel, a model file, or a base path with versions."""

    def __init__(self, path: Path) -> None:
        self.wire = InProcess(path)
        self._path = path
        self._lock = threading.Lock()
        self._models: dict[str, LoadedModel] = {}

    def describe(self, version: str, seconds: float) -> Contract:
        """Load a version, and return its signatures. Raises ModelError if it does not load."""
        del seconds
        name, model = self._load(version)
        return Contract(dict(model.signatures), name)

    def confirm(self, version: str) -> bool:
        """Return True: the signatures are the model's own."""
        del version
        return True

    def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Run a signature. A run cannot be interrupted: `seconds` is not applied."""
        del request, seconds
        name, model = self._load(call.version)
        try:
            outputs = model.run(call.spec.name if call.spec else call.signature, call.inputs)
        except CloudserveError as error:
            raise RemoteError(
                f"the model failed: {error.message}",
                where=self.wire.where,
                hint="correct the request, or look at the model's ops",
            ) from error
        return Reply(outputs, name)

    def close(self) -> None:
        """Release the models."""
        with self._lock:
            for model in self._models.values():
                model.close()
            self._models.clear()

    def _load(self, version: str) -> tuple[str, LoadedModel]:
        if version and not version.isdecimal():
            raise UserError(
                f"a directory has no version `{version}`",
                where=self.wire.where,
                hint="name a version directory by its number",
            )
        number, folder = resolve_model(self._path, int(version) if version else None)
        name = str(number)
        with self._lock:
            if name not in self._models:
                self._models[name] = registry.local_server().open_model(folder)
            return name, self._models[name]
