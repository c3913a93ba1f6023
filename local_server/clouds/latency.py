"""Durations of the offline clouds' operations, instant or as in the clouds, on any clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from cloudserve.errors import UserError


class Step(StrEnum):
    """A step of an operation that takes time in a cloud."""

    UPLOAD_MODEL = "upload a model"
    CREATE_ENDPOINT = "create an endpoint"
    DEPLOY = "start machines and load a model"
    UNDEPLOY = "stop machines"
    MUTATE = "change how many machines there are"
    DELETE = "delete a resource"
    BATCH = "start the machines of a batch job"
    CREATE_VERSION = "create a version of AI Platform's"


_REALISTIC_SECONDS = {
    Step.UPLOAD_MODEL: 15.0,
    Step.CREATE_ENDPOINT: 5.0,
    Step.DEPLOY: 300.0,
    Step.UNDEPLOY: 20.0,
    Step.MUTATE: 60.0,
    Step.DELETE: 3.0,
    Step.BATCH: 360.0,
    Step.CREATE_VERSION: 90.0,
}
"""As users of the platforms observe: minutes for machines, seconds for everything else.

Orders of magnitude. SageMaker's endpoints take 3 to 10 minutes in users' reports, over 10 in some
(terraform-provider-aws#39090). There is no source for its deletions and batch jobs, so they take as
long as Vertex AI's.
"""


class Clock(Protocol):
    """A source of time, and a way to wait."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock."""
        ...


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Latency:
    """A clock, and whether the steps of an operation take time on it."""

    clock: Clock = SYSTEM_CLOCK
    is_realistic: bool = False

    @classmethod
    def named(cls, name: str, clock: Clock = SYSTEM_CLOCK) -> Latency:
        """Return the latency of this name, `instant` or `realistic`; raises UserError."""
        if name not in {"instant", "realistic"}:
            raise UserError(f"there is no latency named {name!r}", hint="use instant or realistic")
        return cls(clock, is_realistic=name == "realistic")

    def seconds(self, step: Step) -> float:
        """Return the duration of a step, besides the work that is actually done."""
        return _REALISTIC_SECONDS[step] if self.is_realistic else 0.0

    async def pass_by(self, step: Step) -> None:
        """Wait for the duration of a step, which is zero if everything is instant."""
        if seconds := self.seconds(step):
            await self.clock.sleep(seconds)


INSTANT = Latency()
