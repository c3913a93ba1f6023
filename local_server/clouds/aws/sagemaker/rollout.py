"""Endpoint updates: load the new fleet, shift traffic to it step by step, or roll back.

The endpoint's document records the progress: `_pending` is the new deployment, `_share` its part of
the traffic. After a restart an unfinished update starts again from its beginning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ...latency import Latency
from ...latency import Step as LatencyStep
from ...resources import Document
from ..cloudwatch_alarms import Alarms
from . import deployments
from .container_pool import ContainerPool
from .deployments import DeploymentError
from .records import ENDPOINT, Records
from .traffic import Policy, Step, read_policy

logger = logging.getLogger(__name__)


class RollbackError(Exception):
    """An update is to be rolled back; the message is the endpoint's FailureReason."""


class Rollout:
    """Creates and updates endpoints."""

    def __init__(
        self, records: Records, pool: ContainerPool, alarms: Alarms, latency: Latency
    ) -> None:
        self._records = records
        self._pool = pool
        self._alarms = alarms
        self._latency = latency
        self._clock = latency.clock

    async def run(self, region: str, name: str) -> None:
        """Load the pending deployment and switch to it, or keep the serving one."""
        self._note(region, name, _share=0.0)
        endpoint = self._records.stored(ENDPOINT, region, name)
        pending, serving = endpoint["_pending"], endpoint["_serving"]
        await self._latency.pass_by(LatencyStep.DEPLOY)
        try:
            await self._pool.load(pending)
        except DeploymentError as error:
            status = "InService" if serving else "Failed"
            self._settle(region, name, {"EndpointStatus": status, "FailureReason": error.message})
            return
        if serving:
            try:
                await self._shift(region, name, pending, serving)
            except RollbackError as error:
                await self._roll_back(region, name, pending, str(error))
                return
        self._settle(
            region,
            name,
            {
                "EndpointStatus": "InService",
                "EndpointConfigName": pending["config"],
                "_serving": pending,
            },
        )
        if serving:
            await self._pool.unload(serving)

    async def _shift(
        self, region: str, name: str, pending: Mapping[str, Any], serving: Mapping[str, Any]
    ) -> None:
        """Shift traffic to the pending deployment; raises RollbackError on failure or alarm."""
        policy = read_policy(pending.get("policy", {}), deployments.instances(serving))
        end = self._now() + policy.limit_seconds
        for step in policy.steps:
            self._note(region, name, _share=step.share, _phase="ActivatingTraffic")
            logger.info("%s: %.0f %% of the traffic goes to the update", name, step.share * 100)
            await self._watch(region, name, pending, policy, step.seconds, end)
        await self._watch(region, name, pending, policy, policy.bake_seconds, end)

    async def _watch(
        self,
        region: str,
        name: str,
        pending: Mapping[str, Any],
        policy: Policy,
        seconds: float,
        end: float,
    ) -> None:
        """Wait for `seconds`; raises RollbackError on a failure, an alarm or the timeout."""
        if not await self._pool.is_healthy(pending):
            raise RollbackError("The new fleet did not pass the ping health check.")
        self._note(region, name, _phase="Baking")
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
        """Wait for `seconds` or until an alarm fires; return the firing alarms."""
        if seconds > 0:
            timer = asyncio.ensure_future(self._clock.sleep(seconds))
            alarm = asyncio.ensure_future(self._alarms.wait_for_alarm(region, alarms))
            try:
                await asyncio.wait({timer, alarm}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (timer, alarm):
                    task.cancel()
                await asyncio.gather(timer, alarm, return_exceptions=True)
        return self._alarms.firing(region, alarms)

    async def _roll_back(
        self, region: str, name: str, pending: Mapping[str, Any], reason: str
    ) -> None:
        logger.warning("%s: the update is rolled back: %s", name, reason)
        self._note(region, name, EndpointStatus="RollingBack", FailureReason=reason)
        endpoint = self._records.stored(ENDPOINT, region, name)
        count = deployments.instances(endpoint["_serving"])
        for step in self._rollback_steps(read_policy(pending.get("policy", {}), count), endpoint):
            self._note(region, name, _share=step.share)
            if step.seconds:
                await self._clock.sleep(step.seconds)
        self._settle(region, name, {"EndpointStatus": "InService", "FailureReason": reason})
        await self._pool.unload(pending)

    def _rollback_steps(self, policy: Policy, endpoint: Mapping[str, Any]) -> list[Step]:
        return [step for step in policy.rollback if step.share < endpoint["_share"]]

    def abandon_rollback(self, region: str, name: str) -> None:
        """Finish the rollback that an earlier process started: none of its containers runs now."""
        reason = self._records.stored(ENDPOINT, region, name)["FailureReason"]
        self._settle(region, name, {"EndpointStatus": "InService", "FailureReason": reason})

    def _note(self, region: str, name: str, **changes: object) -> None:
        endpoint = self._records.stored(ENDPOINT, region, name)
        self._records.put(ENDPOINT, region, endpoint | changes)

    def _settle(self, region: str, name: str, changes: Document) -> None:
        endpoint = self._records.stored(ENDPOINT, region, name)
        endpoint.pop("FailureReason", None)
        # A single write: no request sees the share without its deployment.
        settled = {"_pending": None, "_share": 0.0, "_phase": None}
        now = {"LastModifiedTime": self._records.now()}
        self._records.put(ENDPOINT, region, endpoint | settled | now | changes)

    def _now(self) -> float:
        return self._clock.now().timestamp()
