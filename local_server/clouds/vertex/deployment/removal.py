"""The deletion of what deployed models use: endpoints and pools of machines.

Source: aiplatform v1, endpoints.delete and deploymentResourcePools.delete. The texts are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...latency import Step
from ...resources import Document
from ..operations import EMPTY, Operations, Outcome, Runner, Task
from ..records import Records, failed_precondition
from .tasks import Deploy


class Removal(Task, frozen=True):
    """The deletion of a resource by its full name; subclasses are tagged with their kind."""

    name: str


@dataclass(frozen=True, slots=True)
class Removals:
    """The method `delete` of a kind of resource; `register` it once."""

    records: Records
    operations: Operations
    kind: str
    word: str
    """The kind, in messages."""
    task: type[Removal]
    deployed: Callable[[str], list[str]]
    """Returns the IDs of the models that are deployed on a resource."""
    uses: Callable[[Deploy], str]
    """Returns the resource that a deployment will use, by its full name."""

    def register(self) -> None:
        """Register the deletion as the work of operations."""
        runner = Runner(self.task, "DeleteOperationMetadata", Step.DELETE, self._perform)
        self.operations.register(runner)

    def begin(self, name: str) -> Document:
        """Start deleting a resource; raises ApiError while a model is deployed there."""
        self._refuse_deployed(name)
        parent = name.rsplit("/", 2)[0]
        return self.operations.begin(parent, self.task(name), name)

    def _refuse_deployed(self, name: str) -> None:
        pending = self.operations.pending(Deploy)
        ids = self.deployed(name)
        ids += [task.deployed["id"] for task in pending if self.uses(task) == name]
        if ids:
            raise failed_precondition(
                f"{self.word} `{name}` has deployed or being deployed DeployedModel(s):"
                f" {', '.join(ids)}. Please undeploy them before retry."
            )

    async def _perform(self, task: Removal) -> Outcome:
        def finish() -> Mapping[str, Any]:
            self._refuse_deployed(task.name)
            self.records.resources.delete(self.kind, task.name)
            return EMPTY

        return Outcome(finish)
