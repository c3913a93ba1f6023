"""The executor of Vertex AI actions, which waits for their operations. Actions are idempotent.

Before it creates a resource, it waits for operations of an earlier run, and uses an existing
resource. The error of a partial failure names the remaining resources.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudserve.errors import UserError
from cloudserve.release.nouns import Action
from cloudserve.storage.contract import Notify

from ....polling import Poller
from ..names import Names
from ..operations import Operations
from ..records import Args
from .endpoint import EndpointSteps
from .version import VersionSteps

if TYPE_CHECKING:
    from ..api import VertexApi


class Performer:
    """Performs the actions that `planner` plans."""

    def __init__(self, api: VertexApi, poller: Poller, names: Names) -> None:
        operations = Operations(api, poller)
        versions = VersionSteps(api, operations, names)
        endpoints = EndpointSteps(api, operations, versions, names)
        self._steps: dict[str, Callable[[Args, Notify], None]] = {
            "create-endpoint": endpoints.create,
            "upload-version": versions.upload,
            "delete-version": versions.delete,
            "deploy-model": endpoints.deploy,
            "scale-model": endpoints.scale,
            "undeploy-model": endpoints.undeploy,
            "set-traffic": endpoints.set_traffic,
            "set-aliases": lambda args, _: versions.set_aliases(args),
            "take-off": endpoints.take_off,
            "delete-endpoint": endpoints.delete,
            "remove-version": versions.remove,
            "delete-model": versions.delete_all,
        }

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action; raises UserError for a kind that is not Vertex AI's."""
        step = self._steps.get(action.kind)
        if step is None:
            raise UserError(
                f"vertex does not know the action `{action.kind}`", hint="make the plan again"
            )
        step(action.args, notify)
