"""The wait for a change of an endpoint: reports each status, and the last log of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudserve.errors import RemoteError
from cloudserve.storage.events import Reporter

from ...error_hints import for_reason
from ..records import CHANGING, FAILED, Endpoint

if TYPE_CHECKING:
    from ..api.calls import SageMaker

REPLACE = "what failed is replaced"


class Watch:
    """Polls an endpoint until it is in service as planned, and reports each new status."""

    def __init__(
        self,
        api: SageMaker,
        name: str,
        reporter: Reporter,
        *,
        config: str,
        weights: Mapping[str, float] | None,
        variant: str,
    ) -> None:
        self._api = api
        self._name = name
        self._reporter = reporter
        self._statuses = reporter.changes()
        self._config = config
        self._weights = weights
        self._variant = variant
        self._moved = False
        self.status = ""
        """The status that SageMaker last gave."""

    def look(self) -> Endpoint | None:
        """Return the endpoint once the change is done, None before."""
        endpoint = self._api.endpoint(self._name)
        if endpoint is None:
            raise RemoteError(
                f"endpoint {self._name}: it does not exist any more",
                where=self._api.where,
                hint="somebody deleted it: run the command again to create it",
            )
        self.status = endpoint.status
        self._statuses.line(f"endpoint {self._name}: {endpoint.status}")
        if endpoint.status == FAILED:
            raise self._failed(endpoint.reason or "no reason given")
        if endpoint.status in CHANGING:
            self._moved = True
            return None
        if self._arrived(endpoint):
            return endpoint
        # In service without the change: rolled back, or (for a moment) not yet begun.
        if self._moved or endpoint.reason:
            raise self._failed(
                f"SageMaker undid the change: {endpoint.reason or 'no reason given'}"
            )
        return None

    def _arrived(self, endpoint: Endpoint) -> bool:
        return (not self._config or endpoint.config == self._config) and (
            self._weights is None or endpoint.weights == self._weights
        )

    def _failed(self, reason: str) -> RemoteError:
        for line in self._api.logs.tail(self._name, self._variant):
            self._reporter.line(line)
        hint = for_reason(reason)
        return RemoteError(
            f"endpoint {self._name}: {reason}",
            where=self._api.where,
            hint=f"{hint or 'correct the cause'}; then deploy again: {REPLACE}",
        )
