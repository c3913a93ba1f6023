"""The offline AWS, put together: its faces, and what it takes up after a restart."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ...transport.types import Head
from ..latency import SYSTEM_CLOCK, Clock
from ..objects.store import ObjectStore
from ..resources import Resources
from ..router import Face, Route
from ..work import Work
from .alarms import Alarms
from .arns import scope
from .async_invocations import AsyncInvocations
from .data_capture import DataCapture
from .elsewhere import Elsewhere, is_aws
from .fleet import Fleet
from .invoker import Invoker
from .rollout import Rollout
from .runtime import Runtime, is_runtime
from .s3_files import S3Files
from .sagemaker import sagemaker
from .sagemaker_endpoints import Endpoints
from .sagemaker_records import Records
from .sts import Sts


@dataclass(frozen=True, slots=True)
class AwsParts:
    """What the offline AWS is built on."""

    resources: Resources
    store: ObjectStore
    s3: Face
    takes_s3: Callable[..., bool]
    folder: Path
    """Where model trees are laid out; emptied at the start."""
    executor: Executor
    work: Work
    chance: random.Random
    clock: Clock = SYSTEM_CLOCK
    """What updates wait by, and what times are told by."""
    patience: Clock = SYSTEM_CLOCK
    """What the time limits of requests are measured by: a clock that jumps would cut them off."""
    install_requirements: bool = False


class OfflineAws:
    """The faces of the AWS services."""

    def __init__(self, parts: AwsParts) -> None:
        records = Records(parts.resources, lambda: parts.clock.now().timestamp())
        self._parts = parts
        self._fleet = Fleet(
            parts.store,
            parts.folder,
            parts.executor,
            install_requirements=parts.install_requirements,
        )
        self._fleet.prepare()
        self._alarms = Alarms(parts.resources, records.now)
        rollout = Rollout(records, self._fleet, self._alarms, parts.clock)
        self._endpoints = Endpoints(records, self._fleet, self._alarms, parts.work, rollout)
        self._records = records
        files = S3Files(parts.store)
        capture = DataCapture(files, parts.chance)
        self._invoker = Invoker(
            self._endpoints, self._fleet, capture, parts.chance, parts.clock, parts.patience
        )
        self._later = AsyncInvocations(records, self._invoker, files, parts.work, parts.clock)

    def routes(self) -> tuple[Route, ...]:
        """Return the services and which requests are theirs, in the order to be asked."""
        parts = self._parts
        control = sagemaker(self._records, parts.store, self._endpoints)
        cloudwatch = self._alarms.face()
        return (
            Route(control.takes, control),
            Route(cloudwatch.takes, cloudwatch),
            Route(is_runtime, Runtime(self._invoker, self._later)),
            Route(parts.takes_s3, parts.s3),
            Route(_is_sts, Sts()),
            Route(is_aws, Elsewhere()),
        )

    def restore(self) -> None:
        """Take up what an earlier process left."""
        self._endpoints.restore()
        self._later.restore()

    async def close(self) -> None:
        """Stop every container."""
        await self._invoker.close()
        await self._fleet.close()


def _is_sts(head: Head) -> bool:
    found = scope(head)
    return found is not None and found.service == "sts"
