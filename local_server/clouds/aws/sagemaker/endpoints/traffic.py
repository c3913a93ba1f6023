"""Traffic shifting of an endpoint update: a DeploymentConfig as a list of steps.

Source: SageMaker API reference, `DeploymentConfig`, `TrafficRoutingConfig`,
`RollingUpdatePolicy`. The checks go beyond the service's model; their texts are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...protocol.errors import invalid

_WHOLE = 100.0
_HALF = 50.0
_LEAST_STEP = 10.0
_LEAST_BATCH = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """The new fleet's share of the traffic, 0 to 1, and the wait after the shift."""

    share: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The steps of an update and of its rollback."""

    steps: tuple[Step, ...] = (Step(1.0, 0.0),)
    bake_seconds: float = 0.0
    """How long the old fleet is kept after the last step."""
    limit_seconds: float = math.inf
    alarms: tuple[str, ...] = ()
    rollback: tuple[Step, ...] = (Step(0.0, 0.0),)


def read_policy(config: Mapping[str, Any], instances: int) -> Policy:
    """Return the policy of a DeploymentConfig for a fleet of `instances`.

    Raises AwsError if the policy is contradictory or outside of the service's bounds.
    """
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    names = tuple(alarm["AlarmName"] for alarm in alarms if "AlarmName" in alarm)
    if blue_green and rolling:
        raise invalid("Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified.")
    if rolling:
        return _rolling(rolling, instances, names)
    if blue_green:
        return _blue_green(blue_green, instances, names)
    return Policy(alarms=names)


def _blue_green(policy: Mapping[str, Any], instances: int, alarms: tuple[str, ...]) -> Policy:
    routing = policy["TrafficRoutingConfiguration"]
    wait = routing["WaitIntervalInSeconds"]
    match routing["Type"]:
        case "CANARY":
            canary = _percent(routing, "CanarySize", instances, most=_HALF)
            steps = _until_whole((canary,), wait)
        case "LINEAR":
            step = _percent(routing, "LinearStepSize", instances, _LEAST_STEP, _HALF)
            steps = _until_whole(_multiples(step), wait)
        case _:
            steps = (Step(1.0, 0.0),)
    bake = policy.get("TerminationWaitInSeconds", 0)
    return _checked(Policy(steps, bake, _limit(policy), alarms))


def _rolling(policy: Mapping[str, Any], instances: int, alarms: tuple[str, ...]) -> Policy:
    wait = policy["WaitIntervalInSeconds"]
    batch = _percent(policy, "MaximumBatchSize", instances, _LEAST_BATCH, _HALF)
    forth = (*_multiples(batch), _WHOLE)
    back = _WHOLE
    if "RollbackMaximumBatchSize" in policy:
        back = _percent(policy, "RollbackMaximumBatchSize", instances, _LEAST_BATCH, _WHOLE)
    steps = tuple(Step(percent / _WHOLE, wait) for percent in forth)
    down = tuple(Step(1 - percent / _WHOLE, wait) for percent in (*_multiples(back), _WHOLE))
    # A rolling update waits after each batch, including the last; a rollback not after the last.
    last = Step(0.0, 0.0)
    return _checked(Policy(steps, 0.0, _limit(policy), alarms, (*down[:-1], last)))


def _checked(policy: Policy) -> Policy:
    needed = policy.bake_seconds + sum(step.seconds for step in policy.steps)
    if needed >= policy.limit_seconds:
        raise invalid(
            f"MaximumExecutionTimeoutInSeconds must be larger than the total waiting time of"
            f" {needed:g} seconds."
        )
    return policy


def _limit(policy: Mapping[str, Any]) -> float:
    return float(policy.get("MaximumExecutionTimeoutInSeconds", math.inf))


def _percent(
    holder: Mapping[str, Any], name: str, instances: int, least: float = 0.0, most: float = _WHOLE
) -> float:
    """Return a CapacitySize in percent of the fleet; raises AwsError if it is out of bounds."""
    size = holder.get(name)
    if size is None:
        raise invalid(f"{name} is required for {holder.get('Type', 'this')} traffic routing.")
    value: float = size["Value"]
    counted = size["Type"] == "INSTANCE_COUNT"
    percent = value / max(instances, 1) * _WHOLE if counted else float(value)
    # A fleet too small for the minimum percentage moves by one instance.
    if not least <= percent <= most and not (counted and value == 1):
        raise invalid(
            f"{name} must be between {max(least, 1.0):g} and {most:g} percent of the total"
            f" instance count; it is {percent:g}."
        )
    return min(percent, _WHOLE)


def _multiples(percent: float) -> tuple[float, ...]:
    """Return the multiples of a percentage below 100."""
    count = math.ceil(_WHOLE / percent - 1e-9)
    return tuple(percent * number for number in range(1, count))


def _until_whole(percents: tuple[float, ...], wait: float) -> tuple[Step, ...]:
    """Return a step for each percentage and one for 100, with a wait between them."""
    before = tuple(Step(percent / _WHOLE, wait) for percent in percents if percent < _WHOLE)
    return (*before, Step(1.0, 0.0))
