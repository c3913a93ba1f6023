"""Fields of what changes a running endpoint: autoscaling, updates, timeouts.

Source: SageMaker developer guide, "Deployment guardrails" (exclusions). Read in November 2026.
"""

from __future__ import annotations

from ..images import BURSTABLE, INF1
from .endpoint_config import GRACE, LONGEST, waits
from .options import Options, Update
from .rule import Rule

MOST_ALARMS = 10
LEAST_STEP = {Update.LINEAR: 10, Update.ROLLING: 5}


def autoscaling_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of `autoscaling`."""
    wanted = options.autoscaling
    if wanted is None:
        return ()
    count, is_async = options.instance_count, bool(options.async_output)
    by_requests, by_backlog = wanted.invocations_per_instance, wanted.backlog_per_instance
    return (
        Rule(not options.serverless, "autoscaling", "a serverless endpoint has no instances"),
        Rule(
            not BURSTABLE.match(options.instance_type),
            "autoscaling",
            f"SageMaker does not scale burstable instances such as {options.instance_type}",
            "choose another `instance_type`, such as ml.m5.large",
        ),
        Rule(
            bool(by_requests) != bool(by_backlog),
            "autoscaling",
            "`autoscaling` needs one of `invocations_per_instance` and `backlog_per_instance`",
        ),
        Rule(
            is_async or not by_backlog,
            "autoscaling.backlog_per_instance",
            "only an asynchronous endpoint has a backlog",
            "choose `invocations_per_instance`, or set `async_output`",
        ),
        Rule(
            wanted.min > 0 or (is_async and by_backlog > 0),
            "autoscaling.min",
            "only an asynchronous endpoint scales to 0 instances, by `backlog_per_instance`",
            "set `min` to 1 or more",
        ),
        Rule(
            max(wanted.min, 1) <= count <= wanted.max,
            "autoscaling" if options.instance_count == 1 else "instance_count",
            f"`instance_count` is {count}, and `autoscaling` keeps {wanted.min} to {wanted.max}",
            "set `instance_count`, with which an endpoint begins, to a number between them",
        ),
    )


def timeout_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of timeouts."""
    least = 60
    return tuple(
        Rule(value == 0 or value >= least, name, f"SageMaker takes {least} s or more, not {value}")
        for name, value in (
            ("download_seconds", options.download_seconds),
            ("startup_seconds", options.startup_seconds),
        )
    )


def update_rules(options: Options) -> tuple[Rule, ...]:
    """Return the rules of `update` and its alarms."""
    least = LEAST_STEP.get(options.update, 1)
    takes, alarms = waits(options), options.alarm_names
    return (
        Rule(
            options.update is Update.NONE or not options.instance_type.startswith(INF1),
            "update",
            f"SageMaker moves all traffic of {options.instance_type} at once, and watches nothing",
            "leave `update` out, or choose another `instance_type`",
        ),
        Rule(
            options.update_percent >= least,
            "update_percent",
            f"a {options.update} update moves {least} to 50 % at once, not "
            f"{options.update_percent}",
        ),
        Rule(
            not alarms or options.update is not Update.NONE,
            "alarms",
            "alarms undo an update, and this target has none",
            "add `update: canary`, or another of all-at-once, linear and rolling",
        ),
        Rule(
            len(alarms) <= MOST_ALARMS,
            "alarms",
            f"SageMaker watches {MOST_ALARMS} alarms, not {len(alarms)}",
        ),
        Rule(
            takes + GRACE <= LONGEST,
            "update_wait_seconds",
            f"an update waits {takes} s by its steps, and SageMaker gives it {LONGEST - GRACE} s",
            "shorten it, or raise `update_percent`",
        ),
        Rule(
            takes < options.timeout_seconds,
            "timeout_seconds",
            f"an update waits {takes} s by its steps, and is waited for only "
            f"{options.timeout_seconds} s",
            "raise `timeout_seconds`, or shorten `update_wait_seconds`",
        ),
    )
