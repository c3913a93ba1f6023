"""Endpoint updates: load the new fleet, shift traffic to it step by step, or roll back.

The stored endpoint records the progress: the pending deployment and its share of the traffic. After
a restart an unfinished update starts again from its beginning.
"""

from __future__ import annotations

import asyncio
import logging

from ....faults.injected import failed_rollback
from ....latency import Latency
from ....latency import Step as LatencyStep
from ...cloudwatch_alarms import Alarms
from ..containers.pool import ContainerPool
from ..records import Records
from .deployments import Deployment, DeploymentError
from .table import Endpoint, EndpointTable, Status
from .traffic import Policy, Step, read_policy

logger = logging.getLogger(__name__)

_HALF = 0.5


class RollbackError(Exception):
    """An update is to be rolled back; the message is the endpoint's FailureReason."""


class Rollout:
    """Creates and updates endpoints."""

    def __init__(
        self, records: Records, pool: ContainerPool, alarms: Alarms, latency: Latency
    ) -> None:
        self._records = records
        self._table = EndpointTable(records)
        self._pool = pool
        self._alarms = alarms
        self._latency = latency
        self._clock = latency.clock

    async def run(self, region: str, name: str) -> None:
        """Load the pending deployment and switch to it, or keep the serving one."""
        with self._table.changing(region, name) as endpoint:
            endpoint.share = 0.0
        pending, serving = endpoint.pending, endpoint.serving
        assert pending is not None
        await self._latency.pass_by(LatencyStep.DEPLOY)
        try:
            await self._pool.load(pending)
        except DeploymentError as error:
            self._settle(region, name, failure=error.message)
            return
        reason = failed_rollback()
        if serving and reason is not None:
            self._stay_mixed(region, name, reason)
            if endpoint.mixed:
                await self._pool.unload(endpoint.mixed)
            return
        if serving:
            try:
                await self._shift(region, name, pending, serving)
            except RollbackError as error:
                await self._roll_back(region, name, pending, str(error))
                return
        self._settle(region, name, serving=pending)
        for old in filter(None, (serving, endpoint.mixed)):
            await self._pool.unload(old)

    def _stay_mixed(self, region: str, name: str, reason: str) -> None:
        """End an update with both fleets in service.

        Source: DescribeEndpoint.EndpointStatus, UpdateRollbackFailed: "Your endpoint is in service
        with a mix of the old and new endpoint configurations."
        """
        with self._table.changing(region, name) as endpoint:
            endpoint.status, endpoint.failure = Status.UPDATE_ROLLBACK_FAILED, reason
            endpoint.mixed, endpoint.share = endpoint.pending, _HALF
            endpoint.pending, endpoint.phase = None, None
            endpoint.modified = self._records.now()

    async def _shift(
        self, region: str, name: str, pending: Deployment, serving: Deployment
    ) -> None:
        """Shift traffic to the pending deployment; raises RollbackError on failure or alarm."""
        policy = read_policy(pending.policy, serving.instances)
        end = self._now() + policy.limit_seconds
        for step in policy.steps:
            with self._table.changing(region, name) as endpoint:
                endpoint.share, endpoint.phase = step.share, "ActivatingTraffic"
            logger.info("%s: %.0f %% of the traffic goes to the update", name, step.share * 100)
            await self._watch(region, name, pending, policy, step.seconds, end)
        await self._watch(region, name, pending, policy, policy.bake_seconds, end)

    async def _watch(
        self,
        region: str,
        name: str,
        pending: Deployment,
        policy: Policy,
        seconds: float,
        end: float,
    ) -> None:
        """Wait for `seconds`; raises RollbackError on a failure, an alarm or the timeout."""
        if not await self._pool.is_healthy(pending):
            raise RollbackError("The new fleet did not pass the ping health check.")
        with self._table.changing(region, name) as endpoint:
            endpoint.phase = "Baking"
        firing = await self._wait(region, policy.alarms, min(seconds, end - self._now()))
        if firing:
            raise RollbackError(
                f"One or more configured alarm(s) went into ALARM state: {', '.join(firing)}"
            )
        if self._now() >= end:
            raise RollbackError(
                f"The deployment took longer than {policy.limit_seconds:g} seconds"
                " (MaximumExecutionTimeoutInSeconds)."
            )

    async def _wait(self, region: str, alarms: tuple[str, ...], seconds: float) -> list[str]:
        """Wait for `seconds` or until an alarm fires; return the alarms that have."""
        since = self._now()
        if seconds > 0:
            timer = asyncio.ensure_future(self._clock.sleep(seconds))
            alarm = asyncio.ensure_future(self._alarms.wait_for_alarm(region, alarms))
            try:
                await asyncio.wait({timer, alarm}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (timer, alarm):
                    task.cancel()
                await asyncio.gather(timer, alarm, return_exceptions=True)
        return self._alarms.firing(region, alarms, since)

    async def _roll_back(self, region: str, name: str, pending: Deployment, reason: str) -> None:
        logger.warning("%s: the update is rolled back: %s", name, reason)
        with self._table.changing(region, name) as endpoint:
            endpoint.status, endpoint.failure = Status.ROLLING_BACK, reason
        for step in _rollback_steps(endpoint, pending):
            with self._table.changing(region, name) as endpoint:
                endpoint.share = step.share
            if step.seconds:
                await self._clock.sleep(step.seconds)
        self._settle(region, name, failure=reason)
        await self._pool.unload(pending)

    def abandon_rollback(self, region: str, name: str) -> None:
        """Finish the rollback that an earlier process started: none of its containers runs now."""
        self._settle(region, name, failure=self._table.read(region, name).failure)

    def _settle(
        self,
        region: str,
        name: str,
        *,
        serving: Deployment | None = None,
        failure: str | None = None,
    ) -> None:
        """End an update, with a new serving deployment or with the reason of its failure."""
        # A single write: no request sees the share without its deployment.
        with self._table.changing(region, name) as endpoint:
            if serving is not None:
                endpoint.serving, endpoint.config = serving, serving.config
            endpoint.status = Status.IN_SERVICE if endpoint.serving else Status.FAILED
            endpoint.failure, endpoint.modified = failure, self._records.now()
            endpoint.pending, endpoint.share, endpoint.phase = None, 0.0, None
            if serving is not None:
                endpoint.mixed = None
            elif endpoint.mixed is not None:
                endpoint.status, endpoint.share = Status.UPDATE_ROLLBACK_FAILED, _HALF

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _rollback_steps(endpoint: Endpoint, pending: Deployment) -> list[Step]:
    instances = endpoint.serving.instances if endpoint.serving else 0
    policy = read_policy(pending.policy, instances)
    return [step for step in policy.rollback if step.share < endpoint.share]
