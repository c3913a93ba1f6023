"""A client of a deployed model: one payload, any target."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cloudserve import registry
from cloudserve.errors import RemoteError, UserError
from cloudserve.project import Project
from cloudserve.release.planner import choose


class Client:
    """Predict with a model on a target, through the platform's own prediction call."""

    def __init__(
        self,
        project: Project,
        model: str,
        target: str,
        *,
        version: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Bind to a model; `version` pins a deployed revision, else the platform's traffic decides.

        Raises UserError for an unknown model, target or version.
        """
        self._model = project.model(model).name
        where = project.target(target)
        self._provider = registry.provider(where, os.environ if environ is None else environ)
        self._revision: str | None = None
        if version is not None:
            self._revision = choose(self._provider.describe(self._model), version).revision.id

    def predict(self, instances: Sequence[Any] | Any, *, signature: str | None = None) -> list[Any]:
        """Return one prediction for each instance.

        `instances` is a list of JSON values (or a numpy array of shape (n, ...)): for a signature
        of one input the value itself, for several an object by input name; bytes as
        `{"b64": "..."}`. Raises RemoteError with the platform's reason.
        """
        request: dict[str, Any] = {"instances": _plain(instances)}
        if signature is not None:
            request["signature_name"] = signature
        answer = json.loads(self.send(json.dumps(request).encode()))
        if not isinstance(answer, dict) or not isinstance(answer.get("predictions"), list):
            raise RemoteError("the answer has no `predictions`", where=self._model)
        return list(answer["predictions"])

    def send(self, body: bytes) -> bytes:
        """Send a JSON request as it is and return the JSON answer as it comes."""
        return self._provider.predict(self._model, body, self._revision)


def _plain(instances: Any) -> list[Any]:
    values = instances.tolist() if hasattr(instances, "tolist") else instances
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise UserError("`instances` must be a list or an array of them")
    return list(values)
