"""CloudWatch metric alarms, as far as deployments need them.

Only SetAlarmState changes an alarm's state: `aws cloudwatch set-alarm-state` rehearses a rollback.
Alarms are not evaluated offline, so none fires by itself, though metrics are collected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from ..pages import page
from ..resources import Document, Resources
from .cloudwatch.operations import MetricOperations
from .protocol.arns import ACCOUNT
from .protocol.errors import AwsError, invalid
from .protocol.json_app import Handler, JsonApp

TARGET = "GraniteServiceVersion20100801."
_JSON_1_0 = "application/x-amz-json-1.0"
_TABLE = "aws/alarm"
_FIRING = "ALARM"
_PAGE = 50


class Alarms:
    """The metric alarms by region and name."""

    def __init__(self, resources: Resources, now: Callable[[], float]) -> None:
        self._resources = resources
        self._now = now
        self._changed: asyncio.Future[None] | None = None

    def app(self, metrics: MetricOperations) -> JsonApp:
        """Return CloudWatch's HTTP application."""
        handlers: dict[str, Handler] = {
            "PutMetricAlarm": self.put,
            "DescribeAlarms": self.describe,
            "SetAlarmState": self.set_state,
            "DeleteAlarms": self.delete,
            **metrics.handlers(),
        }
        return JsonApp("cloudwatch", TARGET, handlers, _JSON_1_0)

    def put(self, region: str, body: Document) -> None:
        """Create an alarm, or change an existing one and keep its state."""
        name = body["AlarmName"]
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
        }

    def describe(self, region: str, body: Document) -> Document:
        """Return a page of alarms by name, prefix or state."""
        stored = self._resources.list(_TABLE, f"{region}/{body.get('AlarmNamePrefix', '')}")
        names, state = body.get("AlarmNames"), body.get("StateValue")
        chosen = [
            (name, alarm)
            for name, alarm in stored
            if (names is None or alarm["AlarmName"] in names)
            and state in {None, alarm["StateValue"]}
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
        state = {key: body[key] for key in ("StateValue", "StateReason")}
        self._write(region, name, alarm | state | {"StateUpdatedTimestamp": self._now()})

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
        """Raise AwsError if an alarm does not exist or is already in ALARM."""
        for name in names:
            alarm = self._find(region, name)
            if alarm is None:
                raise invalid(f'Could not find CloudWatch alarm "{name}".')
            if alarm["StateValue"] == _FIRING:
                raise invalid(f'CloudWatch alarm "{name}" is in ALARM state.')

    def firing(self, region: str, names: Sequence[str]) -> list[str]:
        """Return those of the named alarms that are in ALARM."""
        alarms = ((name, self._find(region, name)) for name in names)
        return [name for name, alarm in alarms if alarm and alarm["StateValue"] == _FIRING]

    async def wait_for_alarm(self, region: str, names: Sequence[str]) -> list[str]:
        """Wait until at least one of the named alarms is in ALARM; return those that are."""
        while not (firing := self.firing(region, names)):
            if self._changed is None:
                self._changed = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._changed)
        return firing

    def _find(self, region: str, name: str) -> Document | None:
        return self._resources.get(_TABLE, f"{region}/{name}")

    def _write(self, region: str, name: str, alarm: dict[str, Any]) -> None:
        self._resources.put(_TABLE, f"{region}/{name}", alarm)
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set_result(None)
