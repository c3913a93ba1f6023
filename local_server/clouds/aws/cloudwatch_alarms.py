"""CloudWatch metric alarms: they fire by their metrics, or by SetAlarmState until the next minute.

An alarm is evaluated when somebody asks for it, for each minute since it was last evaluated. A
deployment that watches alarms asks at the end of each minute. Composite alarms, anomaly detection
and metric math are refused by name; actions are stored and not performed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from ..latency import Clock
from ..pages import page
from ..resources import Document, Resources, shown
from .cloudwatch.alarm_rule import Evaluation, State, read_rule
from .cloudwatch.metric_store import MINUTE, MetricStore
from .cloudwatch.operations import MetricOperations
from .protocol.arns import ACCOUNT
from .protocol.errors import AwsError, invalid
from .protocol.json_app import Authorize, Handler, JsonApp

TARGET = "GraniteServiceVersion20100801."
_JSON_1_0 = "application/x-amz-json-1.0"
_TABLE = "aws/alarm"
_PAGE = 50
_EVALUATED = "_evaluated"
"""The field with the minute up to which an alarm has been evaluated."""
_ALARMED = "_alarmed"
"""The field with the time at which an alarm last went into ALARM."""
_MOST_MINUTES = 1440
"""The minutes that are made up for: a day."""


class Alarms:
    """The metric alarms by region and name."""

    def __init__(self, resources: Resources, metrics: MetricStore, clock: Clock) -> None:
        self._resources = resources
        self._metrics = metrics
        self._clock = clock
        self._changed: asyncio.Future[None] | None = None

    def app(self, authorize: Authorize | None = None) -> JsonApp:
        """Return CloudWatch's HTTP application, with the operations on metrics."""
        handlers: dict[str, Handler] = {
            "PutMetricAlarm": self.put,
            "DescribeAlarms": self.describe,
            "SetAlarmState": self.set_state,
            "DeleteAlarms": self.delete,
            **MetricOperations(self._metrics).handlers(),
        }
        return JsonApp("cloudwatch", TARGET, handlers, _JSON_1_0, authorize)

    def put(self, region: str, body: Document) -> None:
        """Create an alarm, or change an existing one and keep its state."""
        name = body["AlarmName"]
        read_rule(region, body)
        existing = self._find(region, name) or self._new_state()
        kept = {key: existing[key] for key in self._new_state()}
        settings = {key: value for key, value in body.items() if key != "Tags"}
        arn = f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{name}"
        identity = {"AlarmArn": arn, "AlarmConfigurationUpdatedTimestamp": self._now()}
        defaults = {"ActionsEnabled": True, "OKActions": [], "AlarmActions": []}
        self._write(region, name, defaults | settings | identity | kept)

    def _new_state(self) -> Document:
        return {
            "StateValue": "INSUFFICIENT_DATA",
            "StateReason": "Unchecked: Initial alarm creation",
            "StateUpdatedTimestamp": self._now(),
            _EVALUATED: self._minute(),
            _ALARMED: 0.0,
        }

    def describe(self, region: str, body: Document) -> Document:
        """Return a page of alarms by name, prefix or state."""
        for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if member in body:
                kind = "UnsupportedOperationException"
                raise AwsError(kind, f"{member} of DescribeAlarms is not available offline.")
        names, state = body.get("AlarmNames"), body.get("StateValue")
        kinds = body.get("AlarmTypes", ["MetricAlarm"])
        stored = self._resources.list(_TABLE, f"{region}/{body.get('AlarmNamePrefix', '')}")
        evaluated = [(name, self._evaluated(region, alarm)) for name, alarm in stored]
        chosen = [
            (name, shown(alarm))
            for name, alarm in evaluated
            if (names is None or alarm["AlarmName"] in names)
            and state in {None, alarm["StateValue"]}
            and "MetricAlarm" in kinds
        ]
        try:
            alarms, token = page(chosen, body.get("MaxRecords", _PAGE), body.get("NextToken"))
        except ValueError as error:
            raise AwsError("InvalidNextToken", "Invalid NextToken") from error
        answer: Document = {"MetricAlarms": alarms, "CompositeAlarms": []}
        return answer | ({"NextToken": token} if token else {})

    def set_state(self, region: str, body: Document) -> None:
        """Set an alarm's state and wake the deployments that watch alarms."""
        name = body["AlarmName"]
        alarm = self._find(region, name)
        if alarm is None:
            status = HTTPStatus.NOT_FOUND
            raise AwsError("ResourceNotFound", f"Unknown alarm {name}", status)
        evaluation = Evaluation(State(body["StateValue"]), body["StateReason"])
        changed = _changed_to(alarm, evaluation, self._now())
        self._write(region, name, changed | {_EVALUATED: self._minute()})

    def delete(self, region: str, body: Document) -> None:
        """Delete alarms; if one does not exist, delete none."""
        names: list[str] = body["AlarmNames"]
        for name in names:
            if self._find(region, name) is None:
                status = HTTPStatus.NOT_FOUND
                raise AwsError("ResourceNotFound", f"Unknown alarm {name}", status)
        for name in names:
            self._resources.delete(_TABLE, f"{region}/{name}")

    def check(self, region: str, names: Sequence[str]) -> None:
        """Raise AwsError if an alarm does not exist or is already in ALARM.

        AWS says of one that fires later: "SageMaker terminates your deployment" (developer guide,
        "Auto-Rollback Configuration and Monitoring"). It does not say how an update ends that
        begins with one in ALARM, so that it is refused here.
        """
        for name in names:
            alarm = self._find(region, name)
            if alarm is None:
                raise invalid(f'Could not find CloudWatch alarm "{name}".')
            if alarm["StateValue"] == State.ALARM:
                raise invalid(f'CloudWatch alarm "{name}" is in ALARM state.')

    def firing(self, region: str, names: Sequence[str], since: float) -> list[str]:
        """Return those of the named alarms that are in ALARM, or were since a time."""
        alarms = ((name, self._find(region, name)) for name in names)
        return [name for name, alarm in alarms if alarm and _is_firing(alarm, since)]

    async def wait_for_alarm(self, region: str, names: Sequence[str]) -> None:
        """Wait until at least one of the named alarms is in ALARM; forever if none is named."""
        since = self._now()
        while not self.firing(region, names, since):
            if self._changed is None:
                self._changed = asyncio.get_running_loop().create_future()
            await self._wait_a_minute(self._changed, is_timed=bool(names))

    async def _wait_a_minute(self, changed: asyncio.Future[None], *, is_timed: bool) -> None:
        """Wait for a change of any alarm, or the end of the minute."""
        waiting: set[asyncio.Future[None]] = {changed}
        if is_timed:
            seconds = self._minute() + MINUTE - self._now()
            waiting.add(timer := asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if is_timed:
                timer.cancel()
                await asyncio.gather(timer, return_exceptions=True)

    def _find(self, region: str, name: str) -> Document | None:
        alarm = self._resources.get(_TABLE, f"{region}/{name}")
        return self._evaluated(region, alarm) if alarm else None

    def _evaluated(self, region: str, stored: Document) -> Document:
        """Return an alarm after an evaluation of each minute that has ended since the last one."""
        now, alarm = self._minute(), stored
        first = max(alarm.get(_EVALUATED, now), now - _MOST_MINUTES * MINUTE) + MINUTE
        if first > now:
            return alarm
        rule = read_rule(region, stored)
        for minute in range(first, now + 1, MINUTE):
            evaluation = rule.evaluate(self._metrics, minute, State(alarm["StateValue"]))
            if evaluation.state != alarm["StateValue"]:
                alarm = _changed_to(alarm, evaluation, minute)
        alarm = alarm | {_EVALUATED: now}
        self._write(region, alarm["AlarmName"], alarm)
        return alarm

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _minute(self) -> int:
        """Return the beginning of the present minute."""
        return int(self._now() // MINUTE) * MINUTE

    def _write(self, region: str, name: str, alarm: dict[str, Any]) -> None:
        self._resources.put(_TABLE, f"{region}/{name}", alarm)
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set_result(None)


def _changed_to(alarm: Document, evaluation: Evaluation, at: float) -> Document:
    """Return an alarm in another state since `at`, which may be minutes before it is evaluated."""
    state = {"StateValue": str(evaluation.state), "StateReason": evaluation.reason}
    alarmed = {_ALARMED: at} if evaluation.state is State.ALARM else {}
    return alarm | state | alarmed | {"StateUpdatedTimestamp": at}


def _is_firing(alarm: Document, since: float) -> bool:
    is_alarm: bool = alarm["StateValue"] == State.ALARM
    return is_alarm or alarm.get(_ALARMED, 0.0) >= since
