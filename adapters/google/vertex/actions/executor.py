"""The executor of Vertex AI actions, which waits for their operations. Actions are idempotent.

Before it creates a resource, it waits for operations of an earlier run, and uses an existing
resource. The error of a partial failure names the remaining resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudserve.release.types import Action
from cloudserve.storage.events import Reporter

from ....actions import typed
from ....polling import Poller
from ..names import Names
from ..operations import Operations
from .endpoint import EndpointSteps
from .steps import (
    CreateEndpoint,
    DeleteEndpoint,
    DeployModel,
    ScaleModel,
    SetTraffic,
    Step,
    TakeOff,
    UndeployModel,
)
from .version import VersionSteps

if TYPE_CHECKING:
    from ..api import VertexApi


class Performer:
    """Performs the actions that `planner` plans."""

    def __init__(self, api: VertexApi, poller: Poller, names: Names) -> None:
        operations = Operations(api, poller)
        versions = VersionSteps(api, operations, names)
        endpoints = EndpointSteps(api, operations, versions, names)
        self._versions = versions
        self._endpoints = endpoints

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action; raises UserError for a kind that is not Vertex AI's."""
        step: Step = typed(action, Step, "vertex")
        match step:
            case (
                CreateEndpoint()
                | DeployModel()
                | ScaleModel()
                | UndeployModel()
                | TakeOff()
                | SetTraffic()
                | DeleteEndpoint()
            ):
                self._endpoints.perform(step, reporter)
            case _:
                self._versions.perform(step, reporter)
