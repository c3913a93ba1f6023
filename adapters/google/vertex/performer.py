"""Carry out Vertex AI actions and wait for their end. Each may be done twice: it changes once.

Before something is made, what an earlier run left running is waited for, and what is there already
is taken. What fails half way says what of it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudserve.errors import UserError
from cloudserve.release.nouns import Action
from cloudserve.release.provider import Notify

from ...polling import Poller
from .endpoint_steps import EndpointSteps
from .names import Names
from .operations import Operations
from .version_steps import VersionSteps

if TYPE_CHECKING:
    from .api import VertexApi


class Performer:
    """Performs the actions that `planner` plans."""

    def __init__(self, api: VertexApi, poller: Poller, names: Names) -> None:
        operations = Operations(api, poller)
        self._versions = VersionSteps(api, operations, names)
        self._endpoints = EndpointSteps(api, operations, self._versions, names)

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action; raises UserError for a kind that is not Vertex AI's."""
        args = action.args
        match action.kind:
            case "create-endpoint":
                self._endpoints.create(args, notify)
            case "upload-version":
                self._versions.upload(args, notify)
            case "delete-version":
                self._versions.delete(args, notify)
            case "deploy-model":
                self._endpoints.deploy(args, notify)
            case "scale-model":
                self._endpoints.scale(args, notify)
            case "undeploy-model":
                self._endpoints.undeploy(args, notify)
            case "set-traffic":
                self._endpoints.set_traffic(args, notify)
            case "set-aliases":
                self._versions.set_aliases(args)
            case kind:
                raise UserError(
                    f"vertex does not know the action `{kind}`", hint="make the plan again"
                )
