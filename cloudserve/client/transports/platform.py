"""A model on a target of the project, asked through its adapter."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus

from cloudserve import registry
from cloudserve.client.payloads.json_form import decode_json, encode_json
from cloudserve.client.transports.channel import Call, Contract, Reply
from cloudserve.errors import CloudserveError, RemoteError, UserError
from cloudserve.project import Project
from cloudserve.release.destination import Destination, destination_of
from cloudserve.release.planning.planner import choose
from cloudserve.release.provider import AnsweringProvider
from cloudserve.savedmodel import read_saved_model, read_tree, resolve


class PlatformWire:
    """The form of requests on a platform: `instances`, which every platform knows."""

    pins = False

    def __init__(self, where: str, limit: int) -> None:
        self.where = where
        self.limit = limit

    def encode(self, call: Call) -> bytes:
        """Return the JSON of a request."""
        return encode_json(call, self.where, rows_only=True)


class PlatformChannel:
    """A model on a target, for threads. The adapter's SDK keeps connections and credentials.

    Signatures are those of the project's files. Another revision may be deployed: they refuse a
    payload only if the answering revision has the same digest.
    """

    def __init__(
        self, project: Project, model: str, target: str, environ: Mapping[str, str]
    ) -> None:
        """Raises UserError for an unknown model or target."""
        self._project = project
        self._model = project.model(model)
        self._target = project.target(target)
        self._provider = registry.provider(self._target, environ)
        self._pinned: dict[str, str] = {}
        self._lock = threading.Lock()

    @cached_property
    def wire(self) -> PlatformWire:
        """Return the form of its requests, with the platform's limit."""
        name, provider = self._model.name, self._provider
        limit = provider.request_limit(name) if isinstance(provider, AnsweringProvider) else 0
        return PlatformWire(f"{name} on {self._target.name}", limit)

    @cached_property
    def destination(self) -> Destination:
        """Return where requests go: the offline clouds, or a cloud account; read once.

        Raises ProjectError if it is an account and the target has placeholders of `init`.
        """
        return destination_of(self._target, self._provider.destination())

    def revision(self, version: str) -> str | None:
        """Return the id of the deployed revision that a version names, None for "".

        Raises UserError with the choices if none or several match. Read once for each name.
        """
        if not version:
            return None
        with self._lock:
            if version not in self._pinned:
                deployment = self._provider.read(self._model.name).deployment
                self._pinned[version] = choose(deployment, version).revision.id
            return self._pinned[version]

    def describe(self, version: str, seconds: float) -> Contract | None:
        """Read the signatures of the project's files; None if they are not on this machine."""
        del seconds
        if self._model.url:
            return None
        number = _number(version)
        try:
            model = read_saved_model(resolve(self._model.path, number)[1])
        except CloudserveError:
            return None  # a program that only predicts need not have the model's files
        return Contract({s.name: s for s in model.signatures}, is_certain=False)

    def confirm(self, version: str) -> bool:
        """Return whether the files that `describe` read are those of the answering revision."""
        deployment = self._provider.read(self._model.name).deployment
        chosen = self.revision(version) or deployment.live
        deployed = deployment.find(chosen) if chosen else None
        if deployed is None:
            return False
        tree = read_tree(resolve(self._model.path, _number(version))[1])
        return tree.digest == deployed.revision.digest or _same_id(
            tree.digest, deployed.revision.id
        )

    def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Send a prediction; see Channel."""
        body, revision = self._ask(request, call.version, seconds)
        try:
            outputs = decode_json(body, call.spec, self.wire.where)
        except RemoteError:
            # The signature is that of the project's files; what answered may be another revision.
            outputs = decode_json(body, None, self.wire.where)
        return Reply(outputs, revision)

    def send_json(self, body: bytes, version: str, seconds: float) -> bytes:
        """Send a JSON request unchanged, and return the answer unchanged."""
        return self._ask(body, version, seconds)[0]

    def close(self) -> None:
        """Close nothing: the SDK's connections end with the provider."""

    def _ask(self, body: bytes, version: str, seconds: float) -> tuple[bytes, str]:
        revision = self.revision(version)
        try:
            if isinstance(self._provider, AnsweringProvider):
                answer = self._provider.ask(self._model.name, body, revision, seconds)
                return answer.body, answer.revision or revision or ""
            return self._provider.predict(self._model.name, body, revision), revision or ""
        except RemoteError as error:
            error.hint = error.hint or self._advice(error)
            raise

    def _advice(self, error: RemoteError) -> str:
        """Return a hint for a platform's refusal, for adapters that have none."""
        name = self._model.name
        if error.status == HTTPStatus.NOT_FOUND:
            return f"deploy it first: cloudserve deploy {name} --target {self._target.name}"
        if error.retryable:
            return "run the same command again"
        return f"`cloudserve inspect {name}` shows the inputs of its signatures"


def check_json(body: bytes) -> None:
    """Raise UserError for a request that is not JSON."""
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the request is not JSON: {error}" if body.strip() else "the request is empty",
            hint='send {"instances": […]}, one entry per prediction',
        ) from error


def _number(version: str) -> int | None:
    """Return the number in `2`, `v2` or `v2-0f3c5a9b7d21`; None for anything else."""
    digits = version.removeprefix("v").partition("-")[0]
    return int(digits) if digits.isdecimal() else None


def _same_id(digest: str, revision_id: str) -> bool:
    return digest.startswith(revision_id.partition("-")[2] or "-")
