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
from .steps import EndpointStep, Step
from .version import VersionSteps

if TYPE_CHECKING:
    from ..api import VertexApi


class Performer:
    """Performs the actions that `planner` plans."""

    def __init__(self, api: VertexApi, poller: Poller, names: Names) -> None:
        operations = Operations(api, poller)
        self._versions = VersionSteps(api, operations, names)
        self._endpoints = EndpointSteps(api, operations, self._versions, names)

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action; raises UserError for a kind that is not Vertex AI's."""
        step: Step = typed(action, Step, "vertex")
        if isinstance(step, EndpointStep):
            self._endpoints.perform(step, reporter)
        else:
            self._versions.perform(step, reporter)
