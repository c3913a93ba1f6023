"""Vertex AI's long operations: waited for with a deadline, failures raised with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudserve.errors import RemoteError, UnreachableError
from cloudserve.storage.events import Reporter

from ...polling import Poller
from ..console import quotas
from .records import last_part

if TYPE_CHECKING:
    from ..googleapi import Record
    from .api import VertexApi

ALREADY_EXISTS = 6
PERMISSION_DENIED, RESOURCE_EXHAUSTED = 7, 8
NOT_THE_MODELS_FAULT = frozenset({1, 4, PERMISSION_DENIED, RESOURCE_EXHAUSTED, 10, 14})
"""google.rpc.Code: cancelled, deadline, permission, quota, aborted, unavailable."""
AGAIN = "run the same command again"


class OperationFailedError(RemoteError):
    """An operation ended with an error; `code` is google.rpc.Code's."""

    def __init__(self, message: str, *, where: str, operation: str, code: int, hint: str) -> None:
        super().__init__(message, where=where, request_id=operation, hint=hint)
        self.code = code


class Operations:
    """Waits for operations; tells each new stage of a deployment."""

    def __init__(self, api: VertexApi, poller: Poller) -> None:
        self._api = api
        self._poller = poller

    def finish(self, operation: Record, what: str, where: str, reporter: Reporter) -> Record:
        """Wait for an operation and return its response.

        Raises OperationFailedError with its own reason, RemoteError at the deadline; the operation
        continues then, and a later `settle` waits for it again.
        """
        name = str(operation["name"])
        if not operation.get("done"):
            reporter.line(f"{what}: operation {last_part(name)} is running")
            stages, stage = reporter.changes(), ""

            def look() -> Record | None:
                nonlocal stage
                now = self._api.operation(name)
                stage = str(now.get("metadata", {}).get("deploymentStage", ""))
                stage = stage.lower().replace("_", " ")
                if stage and not now.get("done"):
                    stages.line(f"{what}: {stage}")
                return now if now.get("done") else None

            try:
                operation = self._poller.until(
                    look,
                    what=f"{what}: operation {name}",
                    where=where,
                    reporter=reporter,
                    state=lambda: stage,
                )
            except (UnreachableError, KeyboardInterrupt) as error:
                error.add_note(f"the operation continues in the cloud: {name}")
                raise
        if "error" in operation:  # first: a failed operation has no `response`
            raise self._failed(operation["error"], what, where, name)
        response: Record = operation.get("response", {})
        return response

    def _failed(
        self, error: Mapping[str, Any], what: str, where: str, name: str
    ) -> OperationFailedError:
        reason = str(error.get("message") or "no reason given")
        code = int(error.get("code", 0))
        return OperationFailedError(
            f"{what}: {reason}",
            where=where,
            operation=name,
            code=code,
            hint=_next_step(code, self._api.project),
        )

    def settle(self, owner: str, where: str, reporter: Reporter) -> bool:
        """Wait for the operations of an earlier run on a resource; return whether there were any.

        Their outcome is read from the resource itself.
        """
        running = [op for op in self._api.operations(owner) if not op.get("done")]
        for operation in running:
            try:
                self.finish(operation, "started earlier", where, reporter)
            except OperationFailedError as error:
                reporter.line(f"it failed: {error.message}")
        return bool(running)


def _next_step(code: int, project: str) -> str:
    """Return what to do about a failure: the plan that is made then replaces what failed."""
    if code == RESOURCE_EXHAUSTED:
        return f"ask for more quota or take other machines, then {AGAIN}: {quotas(project)}"
    if code == PERMISSION_DENIED:
        return f"grant the permission that the message names, then {AGAIN}"
    if code in NOT_THE_MODELS_FAULT:
        return f"{AGAIN} when the cause has passed"
    return "correct the cause and deploy again: what failed is replaced"
